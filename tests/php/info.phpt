--TEST--
php --ri flagstone shows the store, the generation and the directives
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true]);
$info = php('', ['flagstone.store' => $store], '--ri', 'flagstone');
foreach (["Store => $store", 'Environment => testing', 'Generation => 1', 'Source => current', 'Flags => 1', 'Last error => none',
    "flagstone.store => $store => $store", 'flagstone.refresh => 1 => 1'] as $line) {
    same("$line in\n$info", true, str_contains($info, $line));
}
same('a wrong setting is not taken', true, str_contains(php('', ['flagstone.map' => 'sideways'], '--ri', 'flagstone'), 'flagstone.map => auto'));
echo "done\n";
--EXPECT--
done
