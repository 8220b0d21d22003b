--TEST--
all, filter, needs and possible
--FILE--
<?php
require __DIR__ . '/support.inc';

flagstone_use(store([
    'a' => true, 'b' => false, '42' => true,
    'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 'acme']]],
    'nobody' => ['enabled' => true, 'rollout' => ['percentage' => 0]],
    'child' => ['enabled' => true, 'requires' => ['b']],
    'ruled' => ['enabled' => true, 'rollout' => ['percentage' => 0, 'by' => 'user'], 'rules' => [
        ['when' => ['segment' => 's'], 'percentage' => 50]]],
], ['s' => ['attribute' => 'plan', 'exists' => true]]));
same('all', [42 => true, 'a' => true, 'b' => false, 'child' => false, 'nobody' => false, 'pilot' => true, 'ruled' => false], feature_all(15));
same('all, nobody', false, feature_all()['pilot']);
same('filter', ['x' => 15, 'z' => 'acme', 7 => '15'], feature_filter('pilot', ['x' => 15, 'y' => 16, 'z' => 'acme', 7 => '15', 8 => null]));
// A key that is no UTF-8 made the iteration of the array panic.
same('filter, any key', ["\xff" => 15], feature_filter('pilot', ["\xff" => 15, '' => 16]));
// What PHP converts in place to take it as a string is the caller's array, which was changed.
$companies = [7.0, 15.0];
same('filter, floats', [[1 => 15.0], [7.0, 15.0]], [feature_filter('pilot', $companies), $companies]);
flagstone_override(["\xff" => true, 'b' => ["\xfe" => true]]);
same('override, any key', [true, true, false], [feature_enabled("\xff"), feature_enabled('b', "\xfe"), feature_enabled('b', 1)]);
flagstone_override(null);
same('needs', ['plan', 'user'], feature_needs('ruled'));
same('needs nothing', [[], []], [feature_needs('a'), feature_needs('unknown')]);
foreach (['a' => true, 'b' => false, 'pilot' => true, 'nobody' => false, 'child' => false, 'ruled' => true, 'unknown' => false] as $flag => $possible) {
    same("possible $flag", $possible, feature_possible($flag));
}
echo "done\n";
--EXPECT--
done
