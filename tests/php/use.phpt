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
for ($store = 0; $store < 40; $store++) {
    same('many', [true, true], [flagstone_use(store(['a' => true])), feature_enabled('a')]);
}
$maps = fn () => substr_count(file_get_contents('/proc/self/maps'), '/head');
same('a bounded number stays open', true, $maps() <= 33);

// Two applications that give the same relative path, in one process.
$directory = getcwd();
foreach ([[$one, true], [$two, false]] as [$store, $on]) {
    @mkdir("$store-application");
    symlink($store, "$store-application/flags");
    chdir("$store-application");
    same("relative to $store", [true, $on], [flagstone_use('flags'), feature_enabled('a')]);
}
// Which store a relative path in php.ini is would be PHP code's to say.
same('relative in php.ini', 'off, flagstone.store is "flags" in php.ini, expected an absolute path: every flag is off',
    substr(strrchr(php('echo feature_enabled("a") ? "on" : "off", ", ", flagstone_status()["last_error"];', ['flagstone.store' => 'flags']), "\n"), 1));
chdir($directory);
foreach (['', "a\0b", 'missing'] as $path) {
    same(json_encode($path), false, flagstone_use($path));
}

// A refused name left the store that was named before it: another application's.
foreach (['', "a\0b"] as $path) {
    same('named', [true, true], [flagstone_use($one), feature_enabled('a')]);
    same('refused ' . json_encode($path), [false, false, true], [flagstone_use($path), feature_enabled('a'), str_contains(flagstone_status()['last_error'], 'is no path')]);
    same('named again', [true, true, null], [flagstone_use($one), feature_enabled('a'), flagstone_status()['last_error']]);
}
same('no store', true, str_contains(php("flagstone_use('$one'); ini_set('open_basedir', '/usr'); echo +flagstone_use('$two'), +feature_enabled('a'), flagstone_status()['last_error'];"), '00flagstone_use(): open_basedir does not allow'));

// A release is switched: the path is the same and leads elsewhere.
symlink($one, "$one-current");
same('before the switch', [true, true], [flagstone_use("$one-current"), feature_enabled('a')]);
symlink($two, "$one-next");
rename("$one-next", "$one-current");
for ($end = microtime(true) + 5; microtime(true) < $end && feature_enabled('a'); usleep(20000)) {
    flagstone_refresh();
}
same('after the switch', false, feature_enabled('a'));
unlink("$one-current");
symlink("$one-missing", "$one-current");
usleep(1200000);
flagstone_refresh();
same('a switch to nowhere leaves what was there', ['current', false, true],
    [flagstone_status()['source'], feature_enabled('a'), str_contains(flagstone_status()['last_error'], 'cannot open the store')]);

$use = 'echo +flagstone_use($argv[1]), +feature_enabled("a");';
$run = function ($settings, $store) use ($use) {
    $options = '';
    foreach ($settings as $name => $value) {
        $options .= ' -d ' . escapeshellarg("$name=$value");
    }
    return shell_exec(escapeshellarg(PHP_BINARY) . ' -n -d extension=' . escapeshellarg(getenv('FLAGSTONE_EXTENSION')) . "$options -r " . escapeshellarg($use) . ' ' . escapeshellarg($store));
};
same('php.ini is final', '01', $run(['flagstone.store' => $one], $two));
same('and says so', true, str_contains(php("flagstone_use('$two'); echo flagstone_status()['last_error'];", ['flagstone.store' => $one]), "flagstone.store is $one"));
same('until it is named again', '01 11 01', php("foreach (['$one', '$two', '$one'] as \$store) { flagstone_use(\$store); echo +isset(flagstone_status()['last_error']), +feature_enabled('a'), ' '; }", ['flagstone.store' => $one]));
same('naming the same is fine', '11', $run(['flagstone.store' => $one], "$one/"));
same('open_basedir', '00', $run(['open_basedir' => '/usr'], $one));
same('open_basedir says so', true, str_contains(php("flagstone_use('$one'); echo flagstone_status()['last_error'];", ['open_basedir' => '/usr']), 'open_basedir does not allow'));
// A link that is led out of open_basedir after it was judged was once followed.
$inside = dirname(store(['a' => false]), 1) . '/inside-' . getmypid();
mkdir("$inside/now", 0755, true);
mkdir("$inside/next/deeper", 0755, true);
exec('cp -a ' . escapeshellarg($two) . ' ' . escapeshellarg("$inside/own"));
symlink('../own', "$inside/now/link");
symlink($one, "$inside/next/link");
$led = php('echo +flagstone_use("' . $inside . '/now/link"), +feature_enabled("a"); rename("' . $inside . '/now", "' . $inside . '/old"); rename("' . $inside . '/next", "' . $inside . '/now");
    usleep(1200000); flagstone_refresh(); echo +feature_enabled("a"), flagstone_status()["last_error"], +flagstone_use("' . $inside . '/now/link"), +feature_enabled("a");', ['open_basedir' => $inside, 'error_log' => '/dev/null']);
same('open_basedir holds where a link leads later', 1, preg_match('/^100open_basedir does not allow \S+, where \S+ leads00/', $led));
same('open_basedir allows', '11', $run(['open_basedir' => dirname($one)], $one));
echo "done\n";
--EXPECT--
done
