--TEST--
variants and their values
--FILE--
<?php
require __DIR__ . '/support.inc';

$value = ['columns' => 2, 'nested' => ['list' => [1, 2.5, null, true, 'x'], '7' => 'seven', 'empty' => []]];
flagstone_use(store([
    'one' => ['enabled' => true, 'variants' => ['only' => ['weight' => 100, 'value' => $value]]],
    'two' => ['enabled' => true, 'variants' => ['a' => ['weight' => 50], 'b' => ['weight' => 50, 'value' => 'bee']]],
    'off' => ['enabled' => false, 'variants' => ['only' => ['weight' => 100, 'value' => 1]]],
    'plain' => true,
]));
same('only', 'only', feature_variant('one', 1));
// Keys come sorted: the order of a JSON object's keys means nothing.
ksort($value['nested'], SORT_STRING);
same('value', $value, feature_value('one', 1));
same('off', [null, 'd'], [feature_variant('off', 1), feature_value('off', 1, [], 'd')]);
same('plain', [null, null, ['d']], [feature_variant('plain', 1), feature_value('plain', 1), feature_value('plain', 1, [], ['d'])]);
same('named default', 'd', feature_value('plain', default: 'd'));
same('nothing to draw by', null, feature_variant('one'));
$drawn = [];
for ($company = 0; $company < 1000; $company++) {
    $variant = feature_variant('two', $company);
    same("value of $company", $variant === 'b' ? 'bee' : 'none', feature_value('two', $company, [], 'none'));
    $drawn[$variant] = ($drawn[$variant] ?? 0) + 1;
}
same('both are drawn', true, min($drawn) > 400 && count($drawn) === 2);
echo "done\n";
--EXPECT--
done
