--TEST--
a value whose cells are written over under a shared mapping has no more parts than there are cells
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['portal' => ['enabled' => true, 'variants' => ['v' => ['weight' => 100, 'value' => [[1, 2], [3, 4], ['a' => [5]]]]]]]);
[$snapshot] = glob("$store/snapshots/*.snapshot");
chmod($snapshot, 0600);
// Each list as long as it goes, or each the parent of all.
echo php('$snapshot = ' . var_export($snapshot, true) . ';' . <<<'PHP'
    $good = feature_value('portal', 1);
    $header = file_get_contents($snapshot, false, null, 0, 512);
    ['offset' => $offset, 'size' => $size] = unpack('Poffset/Psize', $header, 64 + 9 * 24);
    $file = fopen($snapshot, 'r+b');
    $kept = stream_get_contents($file, $size, $offset);
    $write = function (string $cells) use ($file, $offset): void {
        fseek($file, $offset);
        fwrite($file, $cells);
        fflush($file);
    };
    $count = $size / 16;
    $parts = function (mixed $value) use (&$parts): int {
        return is_array($value) ? 1 + array_sum(array_map($parts, $value)) : 1;
    };
    foreach ([5, 6] as $tag) {
        foreach ([2, $count, 0xFFFF_FFFF] as $items) {
            $write(str_repeat(pack('VVP', $tag, $items, 0), $count));
            $found = $parts(feature_value('portal', 1));
            echo $found <= $count + 1 ? "bounded\n" : "$found parts of $count cells\n";
        }
    }
    $write($kept);
    echo feature_value('portal', 1) === $good ? "as before\n" : "another value\n";
    PHP, ['flagstone.store' => $store, 'flagstone.map' => 'shared', 'memory_limit' => '32M', 'max_execution_time' => '60']), "\n";
?>
--EXPECT--
bounded
bounded
bounded
bounded
bounded
bounded
as before
