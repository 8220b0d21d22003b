<?php

// In a fresh process: microseconds until the first answer, and the private memory that the snapshot cost, in KiB: what no
// other process maps.
//
//     php first.php STORE

function private_memory(): int
{
    preg_match_all('/^Private_\w+:\s+(\d+) kB/m', file_get_contents('/proc/self/smaps_rollup'), $matches);

    return array_sum($matches[1]);
}

private_memory();
$before = private_memory();
$start = hrtime(true);
flagstone_use($argv[1]);
$on = feature_enabled('customer_portal', 42);
$micros = (hrtime(true) - $start) / 1000;
echo json_encode(['micros' => $micros, 'private' => private_memory() - $before, 'generation' => flagstone_status()['generation']]), "\n";
