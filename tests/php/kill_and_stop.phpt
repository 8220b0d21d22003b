--TEST--
a kill and a stop turn flags off, and back on when they are taken back
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true, 'b' => true, 'keep' => ['enabled' => true, 'emergency' => 'keep'], 'child' => ['enabled' => true, 'requires' => ['a']]]);
flagstone_use($store);
$reasons = function () {
    flagstone_refresh();
    return array_map(fn ($flag) => feature_explain($flag, 1)['reason'], ['a', 'b', 'keep', 'child']);
};
same('as published', ['full', 'full', 'full', 'full'], $reasons());
flagstone('kill', 'a', '--reason', 'a test', '--store', $store);
same('killed', ['killed', 'full', 'full', 'prerequisite'], $reasons());
same('asked quickly', [false, true], [feature_enabled('a', 1), feature_enabled('b', 1)]);
same('not possible', false, feature_possible('a'));
publish($store, ['a' => true, 'b' => true, 'new' => true, 'keep' => ['enabled' => true, 'emergency' => 'keep'], 'child' => ['enabled' => true, 'requires' => ['a']]]);
same('a kill holds across a publish', ['killed', 'full', 'full', 'prerequisite'], $reasons());
same('status', [['a'], false], [flagstone_status()['killed'], flagstone_status()['stopped']]);
flagstone('stop-all', '--yes', '--reason', 'a test', '--store', $store);
same('stopped', ['killed', 'emergency_stop', 'full', 'emergency_stop'], $reasons());
flagstone('revive', 'a', '--store', $store);
flagstone('resume-all', '--store', $store);
same('taken back', ['full', 'full', 'full', 'full'], $reasons());
echo "done\n";
--EXPECT--
done
