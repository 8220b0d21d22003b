--TEST--
a publish is seen after flagstone_refresh(), by itself after the interval, and never mid-way
--INI--
flagstone.refresh=1
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true, 'b' => true]);
flagstone_use($store);
same('before', [true, true], [feature_enabled('a'), feature_enabled('b')]);
same('nothing to move to', false, flagstone_refresh());
publish($store, ['a' => false, 'b' => false]);
same('not yet', [true, 1], [feature_enabled('a'), flagstone_status()['generation']]);
same('moves', true, flagstone_refresh());
same('after', [false, false, 2], [feature_enabled('a'), feature_enabled('b'), flagstone_status()['generation']]);

publish($store, ['a' => true, 'b' => true]);
$seen = [];
for ($end = microtime(true) + 5; microtime(true) < $end && !isset($seen['on']); usleep(1000)) {
    $seen[feature_enabled('a') ? 'on' : 'off'] = true;
}
same('by itself', true, isset($seen['on']));

$never = 'flagstone_use($argv[1]); echo +feature_enabled("a"); wait(); for ($n = 0; $n < 1000; $n++) { $on = feature_enabled("a", $n % 2 ? $n : null); usleep(10); } echo +$on; flagstone_refresh(); echo +feature_enabled("a");';
$never = str_replace('wait()', 'touch("$argv[1].asked"); while (!file_exists("$argv[1].published")) { usleep(1000); clearstatcache(); }', $never);
$process = proc_open([PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', 'flagstone.refresh=0', '-r', $never, $store], [1 => ['pipe', 'w']], $pipes);
while (!file_exists("$store.asked")) { usleep(1000); clearstatcache(); }
publish($store, ['a' => false]);
touch("$store.published");
same('never by itself where flagstone.refresh is 0', '110', stream_get_contents($pipes[1]));
proc_close($process);
echo "done\n";
--EXPECT--
done
