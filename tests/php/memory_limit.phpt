--TEST--
a request that runs out of memory inside a function ends, and the process goes on
--FILE--
<?php
require __DIR__ . '/support.inc';

$flags = [];
for ($n = 0; $n < 500; $n++) {
    $flags["flag_$n"] = ['enabled' => true, 'variants' => ['v' => ['weight' => 100, 'value' => range(1, 50)]]];
}
$flags['ruled'] = ['enabled' => true, 'rules' => [['when' => ['attribute' => 'plan', 'eq' => 'pro']]], 'rollout' => ['percentage' => 0]];
$store = store($flags);
$router = "$store.php";
file_put_contents($router, '<?php
class Greedy { public function __toString(): string { for (;;) { $GLOBALS["kept"][] = str_repeat("x", 10000); } } }
for ($n = 0; isset($_GET["function"]); $n++) {
    $kept[] = match ($_GET["function"]) {
        "all" => feature_all(1),
        "value" => feature_value("flag_" . $n % 500, 1),
        "explain" => feature_explain("flag_" . $n % 500, $n),
        "status" => flagstone_status(),
        "filter" => feature_filter("flag_1", range(1, 1000)),
        "enabled" => feature_enabled("ruled", 1, ["plan" => new Greedy()]),
    };
}
$status = flagstone_status();
echo json_encode([getmypid(), feature_enabled("flag_7", 1), feature_value("flag_7", 1)[1], $status["generation"], $status["counters"]["panics"]]);');
$port = (function () { $socket = stream_socket_server('tcp://127.0.0.1:0'); $name = stream_socket_get_name($socket, false); return substr($name, strrpos($name, ':') + 1); })();
$server = proc_open([PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store", '-d', 'memory_limit=2M', '-d', 'display_errors=1',
    '-d', 'html_errors=0', '-S', "127.0.0.1:$port", $router], [1 => ['file', '/dev/null', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
$get = fn ($query = '') => @file_get_contents("http://127.0.0.1:$port/$query", false, stream_context_create(['http' => ['ignore_errors' => true]]));
for ($try = 0; $try < 200 && $get() === false; $try++) { usleep(20000); }
[$process] = json_decode($get());
$held = function () use ($process, $store) {
    $maps = substr_count(file_get_contents("/proc/$process/maps"), $store);
    $descriptors = array_filter(glob("/proc/$process/fd/*"), fn ($descriptor) => str_starts_with((string) @readlink($descriptor), $store));

    return [$maps, count($descriptors)];
};
$before = $held();
foreach (['all', 'value', 'explain', 'status', 'filter', 'enabled'] as $function) {
    for ($n = 0; $n < 10; $n++) {
        $found = $get("?function=$function");
        same($function, true, str_contains((string) $found, 'Allowed memory size of'));
        same("after $function", json_encode([$process, true, 2, 1, 0]), $get());
    }
}
same('held', $before, $held());
proc_terminate($server);
echo "done\n";
--EXPECT--
done
