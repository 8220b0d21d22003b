--TEST--
a request that begins with flagstone_override() sees what was killed and published since the request before
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true]);
$router = "$store.php";
file_put_contents($router, '<?php if (isset($_GET["override"])) { flagstone_override(null); } echo feature_explain("a")["reason"], " ", flagstone_status()["generation"];');
$port = (function () { $socket = stream_socket_server('tcp://127.0.0.1:0'); $name = stream_socket_get_name($socket, false); return substr($name, strrpos($name, ':') + 1); })();
$server = proc_open([PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store", '-d', 'flagstone.allow_override=1', '-S', "127.0.0.1:$port", $router],
    [1 => ['file', '/dev/null', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
$get = fn ($query = '') => @file_get_contents("http://127.0.0.1:$port/$query");
for ($try = 0; $try < 200 && $get() === false; $try++) { usleep(20000); }
same('before', 'full 1', $get());
flagstone('kill', 'a', '--store', $store, '--reason', 'test');
same('killed', 'killed 1', $get('?override=1'));
publish($store, ['a' => true, 'b' => true]);
same('published', 'killed 2', $get('?override=1'));
same('as without', 'killed 2', $get());
proc_terminate($server);
echo "done\n";
--EXPECT--
done
