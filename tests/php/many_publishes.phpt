--TEST--
a thousand publishes leave no mapping and no descriptor behind
--INI--
flagstone.map=shared
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true]);
flagstone_use($store);
$count = fn () => [substr_count(file_get_contents('/proc/self/maps'), "\n"), count(scandir('/proc/self/fd'))];
$wrong = 0;
for ($n = 0; $n < 1000; $n++) {
    publish($store, ['a' => $n % 2 === 1]);
    flagstone_refresh();
    $wrong += feature_enabled('a') !== ($n % 2 === 1);
    if ($n === 10) {
        $before = $count();
    }
}
same('answers', 0, $wrong);
[$maps, $descriptors] = $count();
same('mappings', true, $maps <= $before[0] + 4);
same('descriptors', $before[1], $descriptors);
same('generation', 1001, flagstone_status()['generation']);
echo "done\n";
--EXPECT--
done
