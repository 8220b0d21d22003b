--TEST--
marks that overlap, or that an exception passed, hold no content and stop no counting; overrides of a marked request go with it
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true, 'b' => true]);
$memory = getenv('FLAGSTONE_TEST_DIR') . '/memory-' . uniqid();
mkdir($memory);
$settings = ['flagstone.store' => $store, 'flagstone.telemetry' => $memory, 'flagstone.refresh' => '1'];
$at = '--store ' . escapeshellarg($store);
$bin = escapeshellarg(getenv('FLAGSTONE_BIN'));
$script = function (string $code) use ($store, $settings, $bin, $at): string {
    $turn = var_export("$bin %s b $at --yes", true);
    file_put_contents("$store.php", "<?php \$turns = 0; \$publish = function () use (&\$turns) { exec(sprintf($turn, \$turns++ % 2 ? 'enable' : 'disable')); };\n$code");

    return php('', $settings, "$store.php");
};
$counted = function (string $flag) use ($memory, $store): array {
    $on = json_decode(flagstone('stats', $flag, '--json', '--memory', $memory, '--store', $store), true)['flags'][0]['cohorts']['on'] ?? ['requests' => 0, 'errors' => 0];

    return [$on['requests'], $on['errors']];
};

// A begin without an end: each later one moves to what was published meanwhile.
$told = $script('for ($i = 0; $i < 4; $i++) { try { flagstone_request_begin(); if ($i === 0) throw new Exception; feature_enabled("a", 1);
    echo flagstone_status()["generation"] - flagstone_status()["head_generation"], " "; flagstone_request_end(200); } catch (Exception) {} $publish(); }');
same('a begin without an end', '0 0 0', $told);
same('and the requests after it', [3, 0], $counted('a'));

// Two that overlap, each ended by its token.
$told = $script('$first = flagstone_request_begin();
    for ($i = 0; $i < 4; $i++) {
        feature_enabled("a", 1); $publish();
        $next = flagstone_request_begin(); flagstone_request_end(200, $first);
        $first = flagstone_request_begin(); echo flagstone_status()["generation"] - flagstone_status()["head_generation"], " "; flagstone_request_end(200, $next);
    }
    flagstone_request_end(200, $first); flagstone_request_end(500, $first);');
same('marks that overlap', '0 0 0 0', $told);
same('are counted one at a time', [7, 0], $counted('a'));

// Fibers.
$told = $script('$one = function () { return new Fiber(function () { $token = flagstone_request_begin(); try { feature_enabled("a", 1); Fiber::suspend(); } finally { flagstone_request_end(200, $token); } }); };
    $fibers = []; for ($i = 0; $i < 3; $i++) { $fibers[] = $fiber = $one(); $fiber->start(); }
    foreach ($fibers as $fiber) { $fiber->resume(); } $publish();
    $fiber = $one(); $fiber->start(); echo flagstone_status()["generation"] - flagstone_status()["head_generation"]; $fiber->resume();');
same('fibers', '0', $told);

// Within one mark the content stays.
same('nested', '1 1', $script('$token = flagstone_request_begin(); $inner = flagstone_request_begin(); $was = feature_enabled("b", 1); $before = flagstone_status()["generation"]; $publish();
    flagstone_request_end(0, $inner); sleep(2); echo $was === feature_enabled("b", 1) ? 1 : 0, " ", $before === flagstone_status()["generation"] ? 1 : 0; flagstone_request_end(200, $token);'));

// A job over its timeout is killed by Laravel's worker, others by the kernel.
flagstone('enable', 'b', '--store', $store, '--yes');
[$requests, $errors] = $counted('b');
php('$token = flagstone_request_begin(); feature_enabled("b", 1); exec("kill -9 " . getmypid());', $settings);
same('a job that is killed', [$requests + 1, $errors + 1], $counted('b'));
php('feature_enabled("b", 1); exec("kill -9 " . getmypid());', $settings);
same('a command that is killed', [$requests + 2, $errors + 2], $counted('b'));
php('flagstone_request_begin(); feature_enabled("b", 1); flagstone_request_end(); exec("kill -9 " . getmypid());', $settings);
same('a worker that is killed between two jobs', [$requests + 3, $errors + 2], $counted('b'));

same('overrides of a marked request', '01', php('$token = flagstone_request_begin(); flagstone_override(["a" => false]); echo +feature_enabled("a", 1); flagstone_request_end(0, $token); echo +feature_enabled("a", 1);', $settings));
same('overrides of a mark that was lost', '01', php('for ($job = 0; $job < 2; $job++) { flagstone_request_begin(); if ($job === 0) { flagstone_override(["a" => false]); } echo +feature_enabled("a", 1); }', $settings));
same('overrides of the process', '00', php('flagstone_override(["a" => false]); $token = flagstone_request_begin(); echo +feature_enabled("a", 1); flagstone_request_end(0, $token); echo +feature_enabled("a", 1);', $settings));
echo "done\n";
--EXPECT--
done
