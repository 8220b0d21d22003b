--TEST--
an application names its store where php.ini does not
--INI--
error_log=/dev/null
--FILE--
<?php
require __DIR__ . '/support.inc';

[$one, $two] = [store(['a' => true]), store(['a' => false])];
same('one', [true, true], [flagstone_use($one), feature_enabled('a')]);
same('one again', true, flagstone_use($one));
same('two', [true, false], [flagstone_use($two), feature_enabled('a')]);
same('missing', [false, false], [flagstone_use("$one-missing"), feature_enabled('a')]);
same('why', true, str_contains(flagstone_status()['last_error'], 'cannot open the store'));
same('one after all', [true, true], [flagstone_use("$one/."), feature_enabled('a')]);
for ($store = 0; $store < 12; $store++) {
    same('many', [true, true], [flagstone_use(store(['a' => true])), feature_enabled('a')]);
}
$maps = fn () => substr_count(file_get_contents('/proc/self/maps'), '/head');
same('a bounded number stays open', true, $maps() <= 9);

$use = 'echo +flagstone_use($argv[1]), +feature_enabled("a");';
$run = function ($settings, $store) use ($use) {
    $options = '';
    foreach ($settings as $name => $value) {
        $options .= ' -d ' . escapeshellarg("$name=$value");
    }
    return shell_exec(escapeshellarg(PHP_BINARY) . ' -n -d extension=' . escapeshellarg(getenv('FLAGSTONE_EXTENSION')) . "$options -r " . escapeshellarg($use) . ' ' . escapeshellarg($store));
};
same('php.ini is final', '01', $run(['flagstone.store' => $one], $two));
same('naming the same is fine', '11', $run(['flagstone.store' => $one], "$one/"));
same('open_basedir', '00', $run(['open_basedir' => '/usr'], $one));
same('open_basedir allows', '11', $run(['open_basedir' => dirname($one)], $one));
echo "done\n";
--EXPECT--
done
