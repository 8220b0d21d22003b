--TEST--
a flag is on for the companies that its definition says
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store([
    'all' => true,
    'none' => false,
    'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 42, 'acme-eu']]],
    'half' => ['enabled' => true, 'rollout' => ['percentage' => 50]],
    'denied' => ['enabled' => true, 'companies' => ['deny' => [42]]],
    'plan' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [
        ['when' => ['all' => [['attribute' => 'plan', 'eq' => 'pro'], ['attribute' => 'seats', 'gte' => 10]]]],
    ]],
    'user' => ['enabled' => true, 'rollout' => ['percentage' => 50, 'by' => 'user']],
    'child' => ['enabled' => true, 'requires' => ['pilot']],
]);
same('use', true, flagstone_use($store));

same('all, no company', true, feature_enabled('all'));
same('none', false, feature_enabled('none', 15));
same('unknown', false, feature_enabled('All', 15));
same('pilot 15', true, feature_enabled('pilot', 15));
same('pilot "15"', true, feature_enabled('pilot', '15'));
same('pilot "015"', false, feature_enabled('pilot', '015'));
same('pilot acme-eu', true, feature_enabled('pilot', 'acme-eu'));
same('pilot 16', false, feature_enabled('pilot', 16));
same('pilot, no company', false, feature_enabled('pilot'));
same('denied 42', false, feature_enabled('denied', 42));
same('denied 43', true, feature_enabled('denied', 43));
same('child 42', true, feature_enabled('child', 42));
same('child 43', false, feature_enabled('child', 43));
same('plan', true, feature_enabled('plan', 1, ['plan' => 'pro', 'seats' => 10]));
same('plan, a float', true, feature_enabled('plan', 1, ['plan' => 'pro', 'seats' => 10.5]));
same('plan, a string', false, feature_enabled('plan', 1, ['plan' => 'pro', 'seats' => '10']));
$pro = 'pro';
same('plan, a reference', true, feature_enabled('plan', 1, ['plan' => &$pro, 'seats' => 10]));
same('plan, an object', false, feature_enabled('plan', 1, ['plan' => new stdClass, 'seats' => 10]));

// What PHP computes itself.
$seed = unpack('P', strrev(hash('xxh3', 'half', true)))[1];
$bucket = fn (string $key) => ((unpack('J', hash('xxh3', $key, true, ['seed' => $seed]))[1] >> 32 & 0xffffffff) * 100000) >> 32;
for ($company = -500; $company < 500; $company++) {
    same("half $company", $bucket(pack('P', $company)) < 50000, feature_enabled('half', $company));
    same("half tenant-$company", $bucket("tenant-$company") < 50000, feature_enabled('half', "tenant-$company"));
}
$name = implode('', ['ha', 'lf']);
same('a name that PHP has not hashed', feature_enabled('half', 7), feature_enabled($name, 7));
echo "done\n";
--EXPECT--
done
