--TEST--
a process that loads the extension with dl() ends as any other
--FILE--
<?php
require __DIR__ . '/support.inc';

// PHP's table of settings kept what dl() had put there for one request, and half of such processes died of it when they ended.
$store = store(['on' => true]);
$file = getenv('FLAGSTONE_EXTENSION');
$code = 'dl(' . var_export(basename($file), true) . '); flagstone_use(' . var_export($store, true) . '); echo feature_enabled("on", 1) ? "on" : "off";';
for ($number = 0; $number < 20; ++$number) {
    $command = [PHP_BINARY, '-n', '-d', 'enable_dl=1', '-d', 'extension_dir=' . dirname($file), '-d', 'error_log=/dev/null', '-r', $code];
    $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes);
    $said = stream_get_contents($pipes[1]) . stream_get_contents($pipes[2]);
    same("process $number", ['on', 0], [$said, proc_close($process)]);
}
echo "done\n";
?>
--EXPECT--
done
