--TEST--
a result larger than memory_limit ends the request with PHP's error, and shutdown functions run
--FILE--
<?php
require __DIR__ . '/support.inc';

// From 8.2.35 on, PHP reports a full memory when the function returns, and ends the process at twice the limit: with status 137, and
// without shutdown functions.
$value = fn ($value) => ['enabled' => true, 'variants' => ['v' => ['weight' => 100, 'value' => $value]]];
$tests = array_map(fn ($n) => ['attribute' => "attribute_$n", 'eq' => 1], range(1, 9000));
$flags = [
    'maps' => $value(array_map(fn ($n) => ["k$n" => [$n, "s$n"]], range(1, 60000))),
    'numbers' => $value(range(1, 300000)),
    'short' => $value(range(1, 1000)),
    'texts' => $value(array_fill(0, 3000, str_repeat('x', 3000))),
    'map' => $value(array_combine(array_map(fn ($n) => "key $n", range(1, 60000)), range(1, 60000))),
    'ruled' => ['enabled' => true, 'rules' => [['when' => ['all' => $tests]]], 'rollout' => ['percentage' => 0]],
];
for ($n = 0; $n < 40000; $n++) {
    $flags["flag_$n"] = true;
}
$store = store($flags);
$run = fn ($limit, $code, $last) => php('$reserve = str_repeat("x", 200000); register_shutdown_function(function () { $GLOBALS["reserve"] = null; echo "at shutdown: ", ' . $last . '; });' . $code,
    ['flagstone.store' => $store, 'memory_limit' => $limit]);

foreach ([
    ['8M', 'feature_value("maps", 5);'],
    ['4M', 'feature_value("maps", 5);'],
    ['4M', 'feature_value("numbers", 5);'],
    ['4M', 'feature_value("texts", 5);'],
    ['2M', 'feature_value("map", 5);'],
    ['2M', 'feature_all(1);'],
    ['2M', 'feature_filter("flag_1", range(1, 60000));'],
    ['2M', 'for ($n = 1; $n <= 9000; $n++) { $context["attribute_$n"] = []; } feature_explain("ruled", 1, $context);'],
] as [$limit, $code]) {
    $said = $run($limit, $code, 'feature_enabled("flag_1") ? "on" : "off"');
    same("$limit: $code", [true, true, true], array_map(fn ($part) => str_contains($said, $part), ['Allowed memory size of', 'at shutdown: on', 'exit status 255']));
}
// What is asked at shutdown, while more than the limit is in use, is answered in full.
same('at shutdown', 'at shutdown: 1000', preg_replace('/.*(at shutdown: \d+).*/s', '$1', $run('8M', 'feature_value("maps", 5);', 'count(feature_value("short", 5))')));
same('with room', '60000 300000 40006', php('echo count(feature_value("maps", 5)), " ", count(feature_value("numbers", 5)), " ", count(feature_all(1));', ['flagstone.store' => $store, 'memory_limit' => '64M']));
echo "done\n";
--EXPECT--
done
