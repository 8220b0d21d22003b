--TEST--
answers are what they would be where the counters' memory is deleted, full, cut short before or meanwhile, or filled with random bytes
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['half' => ['enabled' => true, 'rollout' => ['percentage' => 50]], 'on' => true, 'off' => false,
    'listed' => ['enabled' => true, 'rollout' => ['percentage' => 20], 'companies' => ['allow' => [3, 4], 'deny' => [5]]],
    'shown' => ['enabled' => true, 'variants' => ['a' => ['weight' => 50], 'b' => ['weight' => 50]]]]);
$directory = getenv('FLAGSTONE_TEST_DIR') . '/damage-' . uniqid();
mkdir($directory);
// Requests that ask everything and track; what they are answered, as one hash. Between them, what is done to the memory.
file_put_contents("$store.php", <<<'PHP'
<?php
[, $what] = $argv;
$answers = '';
foreach (range(1, 40) as $request) {
    flagstone_request_begin();
    foreach (['half', 'on', 'off', 'listed', 'shown', 'unknown'] as $flag) {
        foreach (range(1, 50) as $company) {
            $answers .= feature_enabled($flag, $company) ? 1 : 0;
            $answers .= feature_variant($flag, "c$company") . feature_peek($flag, $company);
        }
    }
    feature_track('order', 9.5);
    flagstone_request_end([200, 500, -1, 0][$request % 4]);
    $files = glob(ini_get('flagstone.telemetry') . '/flagstone-*/*.counters');
    if ($what === 'delete') {
        array_map('unlink', $files);
    } elseif ($what === 'cut' && $files !== []) {
        $bytes = fopen($files[0], 'r+');
        ftruncate($bytes, [0, 4096, 5000, 700_001][$request % 4]);
        fclose($bytes);
    } elseif ($what === 'random' && $files !== []) {
        $bytes = fopen($files[0], 'r+');
        fwrite($bytes, $request === 1 ? str_repeat("\xff", filesize($files[0])) : random_bytes(filesize($files[0])));
        fclose($bytes);
    }
    if ($what !== 'nothing' && $request % 13 === 0) {
        // Long enough for a look at whether the file is still there.
        usleep(1_100_000);
    }
}
echo md5($answers), ' ', flagstone_status()['telemetry']['error'];
PHP);
$run = fn (string $what, string $memory) => php('', ['flagstone.store' => $store, 'flagstone.telemetry' => $memory, 'error_log' => '/dev/null'], "$store.php", $what);
$memory = function (string $name) use ($directory) {
    mkdir("$directory/$name");

    return "$directory/$name";
};
$expected = $run('nothing', 'Off');
same('nothing is done', $expected, $run('nothing', $memory('nothing')));
same('deleted', $expected, $run('delete', $memory('delete')));
same('cut short while it is counted in', $expected, trim($run('cut', $memory('cut'))));
same('random bytes', $expected, $run('random', $memory('random')));

$short = $memory('short');
$run('nothing', $short);
[$file] = glob("$short/flagstone-*/*.counters");
file_put_contents($file, substr(file_get_contents($file), 0, 5000));
$answered = $run('nothing', $short);
same('cut short before it is opened', $expected, substr($answered, 0, strlen($expected)));
same('and counted in another', $expected, trim($answered));
same('which has the size of the first', true, filesize($file) > 5000);

// In a mount namespace of its own, where the directory is a tmpfs too small. In a chroot the root is no mount whose
// propagation can be changed, so it is taken away again.
$full = $memory('full');
$root = exec('id -u') === '0' ? [] : ['sudo', '-n'];
$php = [PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store", '-d', "flagstone.telemetry=$full",
    '-d', 'error_log=/dev/null', "$store.php", 'nothing'];
$answered = function (string $size) use ($root, $full, $php): string {
    $command = [...$root, 'unshare', '-m', '--propagation', 'unchanged', 'sh', '-c',
        "mount -t tmpfs -o size=$size flagstone-test \"\$0\" && { \"\$@\"; umount \"\$0\"; }", $full, ...$php];

    return exec(implode(' ', array_map('escapeshellarg', $command)) . ' 2>&1');
};
same('full', $expected, substr($answered('16k'), 0, strlen($expected)));
same('and said so', true, str_contains($answered('16k'), 'make room there'));
// Room for the file, but not for what all flags need: at most pages, and where one is missing, flags are counted together.
foreach (['40k', '48k', '56k', '64k', '80k'] as $size) {
    same("full at $size", $expected, substr($answered($size), 0, strlen($expected)));
}
echo "done\n";
--EXPECT--
done
