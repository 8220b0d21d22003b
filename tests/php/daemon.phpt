--TEST--
what a daemon prints that closed its standard descriptors goes into none of the store's files or counters
--FILE--
<?php
require __DIR__ . '/support.inc';

// The counters became descriptor 1, and what was echoed was written over their header: those of all workers of that user were lost.
$store = store(['on' => true]);
$memory = getenv('FLAGSTONE_TEST_DIR') . '/memory-' . uniqid();
mkdir($memory);
$said = "$store.said";
php('fclose(STDIN); fclose(STDOUT); fclose(STDERR); feature_enabled("on");
    $links = array_map(fn ($number) => @readlink("/proc/self/fd/$number"), [0, 1, 2]);
    file_put_contents(' . var_export($said, true) . ', json_encode($links)); feature_enabled("on"); echo str_repeat("echoed ", 1000);',
    ['flagstone.store' => $store, 'flagstone.telemetry' => $memory]);
same('descriptors 0 to 2', '[false,false,false]', file_get_contents($said));
$stats = json_decode(flagstone('stats', '--json', '--memory', $memory, '--store', $store), true);
same('counted', 2, $stats['flags'][0]['on'] ?? $stats);
echo "done\n";
--EXPECT--
done
