--TEST--
php -S sees a publish at its next request, and nothing mid-way
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true]);
$router = "$store.php";
file_put_contents($router, '<?php $before = feature_enabled("a"); usleep((int) ($_GET["wait"] ?? 0)); echo +$before, +feature_enabled("a"), flagstone_status()["generation"];');
$port = (function () { $socket = stream_socket_server('tcp://127.0.0.1:0'); $name = stream_socket_get_name($socket, false); return substr($name, strrpos($name, ':') + 1); })();
$server = proc_open([PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store", '-S', "127.0.0.1:$port", $router],
    [1 => ['file', '/dev/null', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
$get = fn ($query = '') => @file_get_contents("http://127.0.0.1:$port/$query");
for ($try = 0; $try < 200 && $get() === false; $try++) { usleep(20000); }
same('first', '111', $get());
if (($pid = pcntl_fork()) === 0) {
    usleep(200000);
    publish($store, ['a' => false]);
    pcntl_exec('/bin/true');
}
same('a publish while the request runs', '111', $get('?wait=1500000'));
same('the next request', '002', $get());
proc_terminate($server);
pcntl_waitpid($pid, $status);
echo "done\n";
--EXPECT--
done
