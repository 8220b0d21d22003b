--TEST--
explain tells how an answer came about
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store([
    'half' => ['enabled' => true, 'rollout' => ['percentage' => 12.5]],
    'off' => false,
    'child' => ['enabled' => true, 'requires' => ['off']],
    'ruled' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [
        ['when' => ['attribute' => 'plan', 'eq' => 'x']], ['name' => 'pros', 'when' => ['attribute' => 'plan', 'eq' => 'pro']]]],
    'user' => ['enabled' => true, 'rollout' => ['percentage' => 5, 'by' => 'user']],
]);
same('before a store is named', 'no_snapshot', feature_explain('half', 1)['reason']);
flagstone_use($store);
same('half', ['enabled' => false, 'reason' => 'rollout_out', 'flag' => 'half', 'company' => 42, 'rule' => null,
    'bucket' => feature_explain('half', 42)['bucket'], 'percentage' => 12.5, 'variant' => null, 'prerequisite' => null,
    'missing' => [], 'unknown' => [], 'environment' => 'testing', 'generation' => 1], feature_explain('half', '42'));
$explain = fn (...$question) => array_intersect_key(feature_explain(...$question), array_flip(['enabled', 'reason', 'rule', 'prerequisite', 'missing']));
same('off', ['enabled' => false, 'reason' => 'disabled', 'rule' => null, 'prerequisite' => null, 'missing' => []], $explain('off', 1));
same('child', ['enabled' => false, 'reason' => 'prerequisite', 'rule' => null, 'prerequisite' => 'off', 'missing' => []], $explain('child', 1));
same('rule 0', ['enabled' => true, 'reason' => 'rule', 'rule' => '#0', 'prerequisite' => null, 'missing' => []], $explain('ruled', 1, ['plan' => 'x']));
same('rule 1', ['enabled' => true, 'reason' => 'rule', 'rule' => 'pros', 'prerequisite' => null, 'missing' => []], $explain('ruled', 1, ['plan' => 'pro']));
same('missing', ['enabled' => false, 'reason' => 'rollout_out', 'rule' => null, 'prerequisite' => null, 'missing' => ['plan']], $explain('ruled', 1));
same('no company', 'no_company', feature_explain('half')['reason']);
same('an empty company', ['no_company', null], [feature_explain('half', '')['reason'], feature_explain('half', '')['company']]);
same('a company of 1,025 bytes', 'no_company', feature_explain('half', str_repeat('k', 1025))['reason']);
same('no key', 'no_key', feature_explain('user', 1)['reason']);
same('unknown', 'unknown_flag', feature_explain("half\0", 1)['reason']);
echo "done\n";
--EXPECT--
done
