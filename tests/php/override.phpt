--TEST--
flagstone_override() answers for tests, where it is allowed
--FILE--
<?php
require __DIR__ . '/support.inc';

flagstone_use(store(['a' => true, 'b' => false, 'v' => ['enabled' => true, 'variants' => ['x' => ['weight' => 100, 'value' => 1], 'y' => ['weight' => 0, 'value' => 2]]]]));
flagstone_override(['a' => false, 'b' => true, 'v' => 'y', 'unknown' => [15 => true, 'acme' => false]]);
same('a', [false, 'override'], [feature_enabled('a', 1), feature_explain('a', 1)['reason']]);
same('b', [true, true], [feature_enabled('b', 1), feature_possible('b')]);
same('a variant', [true, 'y', 2], [feature_enabled('v', 1), feature_variant('v', 1), feature_value('v', 1)]);
same('by company', [true, true, false, false], [feature_enabled('unknown', 15), feature_enabled('unknown', '15'), feature_enabled('unknown', 'acme'), feature_enabled('unknown', 16)]);
same('all', ['a' => false, 'b' => true, 'v' => true, 'unknown' => true], feature_all(15));
same('status', true, flagstone_status()['overridden']);
flagstone_override([], true);
same('otherwise', [true, true], [feature_enabled('b', 1), feature_enabled('anything', 1)]);
flagstone_override(null);
same('as without', [true, false, false], [feature_enabled('a', 1), feature_enabled('b', 1), flagstone_status()['overridden']]);
same('a wrong answer', 'TypeError: flagstone_override(): Argument #1 ($answers) must be an array of bool, string (a variant) or array of those by company, float given for "a"',
    thrown(fn () => flagstone_override(['a' => 1.5])));
same('refused', "Error: flagstone_override() is refused: flagstone.allow_override is off in this process",
    php('try { flagstone_override(["a" => true]); } catch (Error $e) { echo "Error: ", $e->getMessage(); }', ['flagstone.allow_override' => '0']));
echo "done\n";
--EXPECT--
done
