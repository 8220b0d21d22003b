--TEST--
a path is judged as it was given: symbolic links that others can replace lead nowhere
--INI--
error_log=/dev/null
--FILE--
<?php
require __DIR__ . '/support.inc';

// Whose a link is matters, and only root can give one away.
if (fileowner('/proc/self') !== 0) {
    exit("several users need root: sudo make test\n");
}
const STRANGER = 64003;
$dir = getenv('FLAGSTONE_TEST_DIR') . '/trust-' . uniqid();
mkdir($dir);
foreach (['good' => 0755, 'bad' => 0777, 'shared' => 0775] as $name => $mode) {
    mkdir("$dir/$name");
    chmod("$dir/$name", $mode);
}
// PHP with threads follows the link in lchown().
$give = fn (string $link) => exec('chown -h ' . STRANGER . ' ' . escapeshellarg($link));
$lead = function (string $link, string $target) use ($give): void {
    symlink($target, "$link.new");
    // Anybody could have put one there where everybody can write.
    if (str_contains($link, '/bad/')) {
        $give("$link.new");
    }
    rename("$link.new", $link);
};
$store = store(['a' => true]);
foreach (['good', 'bad', 'shared'] as $name) {
    $lead("$dir/$name/link", $store);
}
$refused = fn () => preg_match('#/bad/link belongs to user 64003#', (string) flagstone_status()['last_error']);

// The link was resolved first, so that nobody judged where it lies.
same('a link that everybody can replace', [false, false, 1], [flagstone_use("$dir/bad/link"), feature_enabled('a'), $refused()]);
same('a link that its owner alone can replace', [true, true, null], [flagstone_use("$dir/good/link"), feature_enabled('a'), flagstone_status()['warning']]);
same('the store is open, and the link is refused all the same', [false, false, 1], [flagstone_use("$dir/bad/link"), feature_enabled('a'), $refused()]);
same('by php.ini', '0', php('echo +feature_enabled("a");', ['flagstone.store' => "$dir/bad/link", 'error_log' => '/dev/null']));

// Where a group can replace the link the warning is there, and the copy private, whether or not the store is open already.
foreach (['good', 'shared', 'good', 'shared'] as $name) {
    flagstone_use("$dir/$name/link");
    same("$name warns", $name === 'shared', str_contains((string) flagstone_status()['warning'], '/shared is writable by a group'));
}

// While it runs: nobody moves a worker to a store of another environment, or through a directory that everybody can write.
$staging = getenv('FLAGSTONE_TEST_DIR') . '/trust-staging-' . uniqid();
flagstone('init', $staging, '--environment', 'staging');
publish($staging, ['a' => false]);
$next = store(['a' => false]);
$link = "$dir/good/current";
$lead($link, $store);
flagstone_use($link);
same('before', true, feature_enabled('a'));
$moved = function () {
    usleep(1_100_000);
    flagstone_refresh();

    return [feature_enabled('a'), flagstone_status()['environment'], (string) flagstone_status()['last_error']];
};
$lead($link, $staging);
[$on, $environment, $error] = $moved();
same("to another environment: $error", [true, 'testing', true], [$on, $environment, str_contains($error, 'a store for "staging", expected "testing"')]);
$lead("$dir/bad/link", $next);
$lead($link, "$dir/bad/link");
[$on, , $error] = $moved();
same("through a bad directory: $error", [true, 1], [$on, $refused()]);
$lead($link, $next);
same('to another release', [false, 'testing', ''], $moved());
chmod("$dir/good", 0777);
[$on, , $error] = $moved();
same("everybody may replace the link now: $error", [false, true, ''], [$on, flagstone_status()['environment'] === 'testing', $error]);
$give($link);
[$on, , $error] = $moved();
same("and somebody did: $error", [false, true], [$on, str_contains($error, '/good/current belongs to user 64003')]);
chmod("$dir/good", 0755);
same('and closed again', [false, 'testing', ''], $moved());
echo "done\n";
--EXPECT--
done
