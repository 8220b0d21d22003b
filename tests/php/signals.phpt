--TEST--
no file that is cut short ends a process whose thread blocks SIGBUS: within a signal's handler, by pcntl_sigprocmask(), or from its start
--FILE--
<?php
require __DIR__ . '/support.inc';

$denied = array_map(fn (int $n): int => $n * 3 * 1_000_003, range(0, 19_999));
$flags = ['all_on' => true, 'half' => ['enabled' => true, 'rollout' => ['percentage' => 50]],
    'listed' => ['enabled' => true, 'companies' => ['deny' => $denied]], 'killed' => true];
$common = <<<'PHP'
function cut(string $file): void {
    chmod($file, 0644);
    $handle = fopen($file, 'r+');
    ftruncate($handle, 0);
    fclose($handle);
}
/** Cuts everything that is mapped, and asks. */
function cut_and_ask(): void {
    global $store, $counted;
    $counted !== null && cut($counted);
    foreach (glob("$store/snapshots/*") as $file) { cut($file); }
    cut("$store/head");
    ask();
    echo "survived\n";
}
function ask(): void {
    for ($n = 0; $n < 300; $n++) {
        feature_enabled('all_on', $n);
        feature_enabled('half', "company $n");
        feature_enabled('listed', $n * 3 * 1_000_003) && print("denied $n is on\n");
        feature_enabled('killed', $n) && print("killed is on\n");
    }
}
function signal(): void { exec('kill -USR1 ' . getmypid()); }
flagstone_request_begin();
ask();
$counted = flagstone_status()['telemetry']['file'];
($counted === null) === !ini_get('flagstone.telemetry') || print("counters are in no file\n");
PHP;
$end = <<<'PHP'
$status = flagstone_status();
flagstone_request_end();
echo $status['counters']['lost_mappings'] > 0 ? 'lost' : 'nothing lost', ' ', $status['sigbus'], "\n";
PHP;
$cases = [
    'async' => 'pcntl_async_signals(true); pcntl_signal(SIGUSR1, fn () => cut_and_ask()); signal(); usleep(1);',
    'dispatch' => 'pcntl_signal(SIGUSR1, fn () => cut_and_ask()); signal(); pcntl_signal_dispatch();',
    'ticks' => 'declare(ticks=1); pcntl_signal(SIGUSR1, fn () => cut_and_ask()); signal(); $tick = 1;',
    'a mask' => 'pcntl_sigprocmask(SIG_BLOCK, [SIGBUS]); cut_and_ask();',
    'a mask of everything' => 'pcntl_sigprocmask(SIG_SETMASK, range(1, 31)); cut_and_ask();',
    'a mask within a handler that has asked' => 'pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, function () { ask(); pcntl_sigprocmask(SIG_BLOCK, [SIGBUS]); cut_and_ask(); }); signal(); usleep(1);',
    'a mask that a handler gives back' => 'pcntl_async_signals(true); pcntl_sigprocmask(SIG_BLOCK, [SIGBUS]);
        pcntl_signal(SIGUSR1, fn () => ask()); signal(); usleep(1); cut_and_ask();',
    'a handler within a handler' => 'pcntl_async_signals(true); pcntl_signal(SIGUSR2, fn () => ask());
        pcntl_signal(SIGUSR1, function () { ask(); exec("kill -USR2 " . getmypid()); pcntl_signal_dispatch(); cut_and_ask(); }); signal(); usleep(1);',
    'a test\'s answers within a handler' => 'pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, function () { flagstone_override(["other" => true]); flagstone_override(null); cut_and_ask(); }); signal(); usleep(1);',
    'a request that ends in a handler' => 'pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, function () { $GLOBALS["counted"] !== null && cut($GLOBALS["counted"]); flagstone_request_end(500); cut_and_ask(); }); signal(); usleep(1);',
];
$whole = store($flags);
flagstone('kill', 'killed', '--reason', 'test', '--store', $whole);
/** Runs it in a process of its own, which gets this one's mask: a shell between them would not hand it on. */
$run = function (string $code, string $map, string $counters) use ($whole, $common, $end): string {
    $store = "$whole-" . uniqid();
    exec("cp -a $whole $store");
    $script = "$store.php";
    $ticks = str_starts_with($code, 'declare(') ? 'declare(ticks=1);' : '';
    file_put_contents($script, "<?php $ticks \$store = '$store'; $common $code $end");
    $settings = ['flagstone.store' => $store, 'flagstone.map' => $map, 'flagstone.telemetry' => $counters, 'error_log' => '/dev/null'];
    $command = [PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION')];
    foreach ($settings as $name => $value) {
        array_push($command, '-d', "$name=$value");
    }
    $process = proc_open([...$command, $script], [1 => ['pipe', 'w']], $pipes);
    $output = stream_get_contents($pipes[1]);
    do {
        $status = proc_get_status($process);
        usleep(1000);
    } while ($status['running']);

    return trim($output) . ($status['signaled'] ? " signal {$status['termsig']}" : '');
};
$both = function (string $name, string $code) use ($run): void {
    $counters = getenv('FLAGSTONE_TEST_DIR') . '/counters-' . uniqid();
    mkdir($counters);
    same("$name, a mapped snapshot, counters", "survived\nlost in_place", $run($code, 'shared', $counters));
    same("$name, a copied snapshot, no counters", "survived\nlost in_place", $run($code, 'private', 'Off'));
};
foreach ($cases as $name => $code) {
    $both($name, $code);
}
pcntl_sigprocmask(SIG_BLOCK, [SIGBUS]);
$both('from the start', 'cut_and_ask();');
echo "done\n";
--EXPECT--
done
