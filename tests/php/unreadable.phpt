--TEST--
a store that PHP's user cannot read is told with that user and what root types
--FILE--
<?php
require __DIR__ . '/support.inc';

// The log and the status told PHP to run the command as the store's owner.
$public = exec(escapeshellarg(dirname(__DIR__, 2) . '/scripts/trusted-dir') . ' public');
register_shutdown_function(fn () => exec('rm -rf ' . escapeshellarg($public)));
putenv("FLAGSTONE_TEST_DIR=$public");
$store = store(['on' => true]);
$code = 'posix_setgid(64071); posix_setuid(64070); flagstone_use($argv[1]); feature_enabled("on"); echo flagstone_status()["last_error"];';
$root = exec('id -u') === '0' ? [] : ['sudo', '-n'];
$command = [...$root, PHP_BINARY, '-n', '-d', 'extension=posix', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', 'error_log=/dev/null', '-r', $code, $store];
foreach (['head' => 0600, '.' => 0700] as $file => $mode) {
    chmod("$store/$file", $mode);
    $error = exec(implode(' ', array_map('escapeshellarg', $command)) . ' 2>&1');
    same("$file is named", true, str_contains($error, 'Permission denied') ?: $error);
    same("$file with what to type", true, str_contains($error, 'user 64070 and group 64071') && str_contains($error, 'usermod -aG GROUP USER') ?: $error);
    same("$file without the owner's way", false, str_contains($error, 'sudo -u'));
    chmod("$store/$file", $file === '.' ? 0755 : 0644);
}
echo "done\n";
--EXPECT--
done
