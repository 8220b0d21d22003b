<?php

// Writes the definitions that the benchmarks publish: small.json, large.json (10,000 flags), overrides.json (10,000 flags
// and a million companies in one list, ids as they come from a sequence), sparse.json (a million ids from all of 64 bits).
//
//     php definitions.php DIRECTORY

$rollout = fn (float $percentage) => ['enabled' => true, 'rollout' => ['percentage' => $percentage]];
$asked = [
    'customer_portal' => $rollout(50),
    'everybody' => true,
    'pilot_program' => $rollout(50) + ['companies' => ['allow' => [15, 42, 103]]],
    'enterprise_only' => $rollout(0) + ['rules' => [['when' => ['all' => [
        ['attribute' => 'plan', 'eq' => 'enterprise'],
        ['attribute' => 'seats', 'gte' => 10],
    ]]]]],
];
$flags = function (int $count) use ($asked, $rollout) {
    for ($n = count($asked); $n < $count; $n++) {
        $asked["feature_number_$n"] = $rollout($n % 101);
    }

    return $asked;
};
$sequence = range(1, 10_000_000, 10);
$anywhere = require __DIR__ . '/anywhere.php';
$listed = fn (array $companies) => ['listed' => $rollout(50) + ['companies' => ['allow' => $companies]]];
foreach ([
    'small' => $flags(10),
    'large' => $flags(10_000),
    'overrides' => $flags(9_999) + $listed($sequence),
    'sparse' => $flags(10) + $listed($anywhere),
    'requests' => array_combine(array_map(fn (int $n) => "flag_$n", range(0, 63)), array_fill(0, 64, $rollout(50))),
] as $name => $definitions) {
    file_put_contents("$argv[1]/$name.json", json_encode(['flags' => $definitions]));
}
