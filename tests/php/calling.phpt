--TEST--
named arguments, references, spreads, closures and callbacks
--FILE--
<?php
require __DIR__ . '/support.inc';

flagstone_use(store(['pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]],
    'rules' => [['when' => ['attribute' => 'plan', 'eq' => 'pro']]]]]));
same('named', true, feature_enabled(company: 15, flag: 'pilot'));
same('named, one left out', true, feature_enabled('pilot', context: ['plan' => 'pro']));
same('spread', true, feature_enabled(...['flag' => 'pilot', 'company' => '15']));
same('first-class callable', true, feature_enabled(...)('pilot', 15));
same('fromCallable', true, Closure::fromCallable('feature_enabled')('pilot', 15));
same('call_user_func', true, call_user_func('feature_enabled', 'pilot', 15));
same('call_user_func_array', true, call_user_func_array('feature_enabled', ['company' => 15, 'flag' => 'pilot']));
same('array_map', [true, false], array_map('feature_enabled', ['pilot', 'pilot'], [15, 16]));
$flag = 'pilot';
$company = 15;
$arguments = [&$flag, &$company];
same('references', true, feature_enabled(...$arguments));
same('a variable function', true, ('feature_' . 'enabled')('pilot', $company));
echo "done\n";
--EXPECT--
done
