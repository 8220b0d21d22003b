--TEST--
children answer, and see publishes, on their own
--INI--
flagstone.refresh=0
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true]);
flagstone_use($store);
same('parent', true, feature_enabled('a'));
$children = [];
for ($child = 0; $child < 4; $child++) {
    if (($pid = pcntl_fork()) === 0) {
        $ok = feature_enabled('a');
        while (!file_exists("$store.published")) { usleep(1000); clearstatcache(); }
        flagstone_refresh();
        exit($ok && !feature_enabled('a') && flagstone_status()['generation'] === 2 ? 0 : 1);
    }
    $children[] = $pid;
}
publish($store, ['a' => false]);
touch("$store.published");
foreach ($children as $pid) {
    pcntl_waitpid($pid, $status);
    same('child', 0, pcntl_wexitstatus($status));
}
same('the parent has not moved', true, feature_enabled('a'));
flagstone_refresh();
same('and moves', false, feature_enabled('a'));
echo "done\n";
--EXPECT--
done
