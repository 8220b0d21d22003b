<?php

// Writes two stores' definitions of so many flags and a hundred times as many companies by name: one.json has all companies in the
// lists of one flag, each.json a hundred in the list of each flag. The flag `planned` has a rollout plan.
//
//     php definitions.php DIRECTORY FLAGS

$count = (int) $argv[2];
$flags = ['planned' => ['enabled' => false, 'rollout' => ['percentage' => 0], 'plan' => ['stages' => [
    ['percentage' => 10, 'soak' => '1d'],
    ['percentage' => 100],
]]]];
for ($n = 0; $n < $count - 2; $n++) {
    $flags["feature_number_$n"] = ['enabled' => true, 'rollout' => ['percentage' => $n % 100]];
}
$one = $each = $flags;
$one['listed'] = ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => range(1, 100 * $count)]];
$each['listed'] = ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => range(1, 100)]];
foreach (array_keys($flags) as $n => $key) {
    $each[$key]['companies']['allow'] = range($n * 100, $n * 100 + 99);
}
foreach (['one' => $one, 'each' => $each] as $name => $definitions) {
    file_put_contents("$argv[1]/$name.json", json_encode(['flags' => $definitions]));
}
