<?php

// What telemetry costs: run with `flagstone.telemetry` on and Off. Prints medians in nanoseconds, the loop included, as JSON.
//
//     php telemetry.php DIRECTORY ROUNDS            DIRECTORY holds the store `requests` of 64 flags
//     php telemetry.php DIRECTORY only CASE N       runs one case, for counting instructions

[, $directory, $rounds] = $argv;
flagstone_use("$directory/requests") || exit('cannot use the store: ' . flagstone_status()['last_error'] . "\n");
$flags = array_map(fn (int $n) => "flag_$n", range(0, 63));
$cases = [
    'the loop alone' => function (int $n) { for ($i = 0; $i < $n; $i++) { } },
    'str_contains()' => function (int $n) { for ($i = 0; $i < $n; $i++) { str_contains('customer_portal', 'portal'); } },
    'feature_enabled(), 50 %' => function (int $n) { for ($i = 0; $i < $n; $i++) { feature_enabled('flag_7', $i); } },
];
foreach ([0, 1, 20, 64] as $count) {
    $asked = array_slice($flags, 0, $count);
    $cases["a request of $count flags"] = function (int $n) use ($asked) {
        for ($i = 0; $i < $n; $i++) {
            flagstone_request_begin();
            foreach ($asked as $flag) {
                feature_enabled($flag, 7);
            }
            flagstone_request_end(200);
        }
    };
    $cases["$count questions"] = function (int $n) use ($asked) {
        for ($i = 0; $i < $n; $i++) {
            foreach ($asked as $flag) {
                feature_enabled($flag, 7);
            }
        }
    };
}

if ($rounds === 'only') {
    $cases[$argv[3]](10);
    $cases[$argv[3]]((int) $argv[4]);
    exit;
}

foreach ($cases as $name => $loop) {
    $start = hrtime(true);
    $loop(500);
    // Some 8 ms a round.
    $calls[$name] = max(500, min(1_000_000, intdiv(8_000_000 * 500, hrtime(true) - $start)));
}
for ($round = 0; $round < (int) $rounds; $round++) {
    foreach ($cases as $name => $loop) {
        $start = hrtime(true);
        $loop($calls[$name]);
        $times[$name][] = (hrtime(true) - $start) / $calls[$name];
    }
}
foreach ($times as $name => $rounds) {
    sort($rounds);
    $medians[$name] = $rounds[intdiv(count($rounds), 2)];
}
echo json_encode($medians), "\n";
