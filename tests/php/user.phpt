--TEST--
a process that asked as root and became another user counts as that user from the next second on
--FILE--
<?php
require __DIR__ . '/support.inc';

// A daemon that starts as root and gives that up went on writing root's counters, which are always believed.
$user = 64070;
$public = exec(escapeshellarg(dirname(__DIR__, 2) . '/scripts/trusted-dir') . ' public');
register_shutdown_function(fn () => exec('rm -rf ' . escapeshellarg($public)));
putenv("FLAGSTONE_TEST_DIR=$public");
$store = store(['on' => true]);
flagstone('config', 'telemetry.users', json_encode([0, $user]), '--store', $store);
$memory = "$public/memory";
mkdir($memory);
chmod($memory, 01777);
$code = 'feature_enabled("on"); USER sleep(2); for ($i = 0; $i < 150; $i++) { feature_enabled("on"); usleep(10000); }
    for ($i = 0; $i < 1000; $i++) feature_enabled("on"); echo flagstone_status()["telemetry"]["error"] ?? "counts";';
$root = exec('id -u') === '0' ? [] : ['sudo', '-n'];
$daemon = function (string $become) use ($root, $store, $memory, $code): string {
    $command = [...$root, PHP_BINARY, '-n', '-d', 'extension=posix', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store",
        '-d', "flagstone.telemetry=$memory", '-d', 'error_log=/dev/null', '-r', str_replace('USER', $become, $code)];

    return exec(implode(' ', array_map('escapeshellarg', $command)) . ' 2>&1');
};
$counted = function (int $user) use ($memory, $store): int {
    $alone = "$memory.$user";
    mkdir($alone);
    exec(implode(' ', array_map('escapeshellarg', ['cp', '-a', "$memory/flagstone-4-$user", $alone])) . ' 2>/dev/null');
    $stats = json_decode(flagstone('stats', '--json', '--memory', $alone, '--store', $store), true);

    return $stats['flags'][0]['on'] ?? 0;
};
same('counting', 'counts', $daemon("posix_setuid($user);"));
$root = $counted(0);
same('as root', true, $root >= 1 && $root < 500 ?: $root);
$own = $counted($user);
same('as the user', true, $own >= 1000 ?: $own);
echo "done\n";
--EXPECT--
done
