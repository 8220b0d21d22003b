<?php

// Times every case in turn, round after round, and prints the medians in nanoseconds a call, the loop included, as JSON.
//
//     php time.php DIRECTORY ROUNDS          DIRECTORY holds the stores
//     php time.php DIRECTORY only CASE N     runs one case, for counting instructions

spl_autoload_register(function (string $class) {
    require_once __DIR__ . '/../../polyfill/src/' . basename(strtr($class, '\\', '/')) . '.php';
});
[, $directory, $rounds] = $argv;
$cases = require __DIR__ . '/cases.php';
if (function_exists('apcu_store')) {
    ByHand::store();
}
$use = function (?string $store) use ($directory) {
    if ($store !== null) {
        flagstone_use("$directory/$store") || exit("cannot use the store $store: " . flagstone_status()['last_error'] . "\n");
        feature_enabled('customer_portal', 1);
    }
};
Flagstone\Polyfill\Process::use("$directory/small");

if ($rounds === 'only') {
    [$store, $loop] = $cases[$argv[3]];
    $use($store);
    $loop(100);
    $loop((int) $argv[4]);
    exit;
}

$calls = [];
foreach ($cases as $name => [$store, $loop]) {
    $use($store);
    $start = hrtime(true);
    $loop(2_000);
    // Some 15 ms a round.
    $calls[$name] = max(2_000, min(1_000_000, intdiv(15_000_000 * 2_000, hrtime(true) - $start)));
}
$times = [];
for ($round = 0; $round < (int) $rounds; $round++) {
    foreach ($cases as $name => [$store, $loop]) {
        $use($store);
        $start = hrtime(true);
        $loop($calls[$name]);
        $times[$name][] = (hrtime(true) - $start) / $calls[$name];
    }
}
foreach ($times as $name => $rounds) {
    sort($rounds);
    $medians[$name] = $rounds[intdiv(count($rounds), 2)];
}
echo json_encode(['php' => PHP_VERSION, 'medians' => $medians]), "\n";
