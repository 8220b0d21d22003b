--TEST--
a process whose address space is limited answers, or says what there is no memory for, wherever the limit is
--FILE--
<?php
require __DIR__ . '/support.inc';

// Within 128 KiB of limits, where the heap could not grow, the first thing that was allocated ended the process (SIGABRT).
$flags = [];
for ($flag = 0; $flag < 3000; $flag++) {
    $flags["f$flag"] = ['enabled' => true, 'rollout' => ['percentage' => 50], 'companies' => ['allow' => [1, $flag + 2]]];
}
$store = store($flags);
$memory = getenv('FLAGSTONE_TEST_DIR') . '/memory-' . uniqid();
mkdir($memory);
$code = 'echo "begun "; for ($i = 0; $i < 3; $i++) feature_enabled("f$i", 1); $status = flagstone_status(); echo $status["source"], " ", $status["last_error"] ?? $status["telemetry"]["error"] ?? "fine";';
$run = function (int $kilobytes) use ($store, $memory, $code): array {
    $command = ['prlimit', '--as=' . $kilobytes * 1024, PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store",
        '-d', "flagstone.telemetry=$memory", '-d', 'error_log=/dev/null', '-r', $code];
    $output = [];
    exec(implode(' ', array_map('escapeshellarg', $command)) . ' 2>&1', $output, $status);

    return [$status, implode("\n", $output)];
};
[$few, $enough] = [10_000, 1_000_000];
while ($enough - $few > 32) {
    $middle = intdiv($few + $enough, 2);
    str_starts_with($run($middle)[1], 'begun') ? $enough = $middle : $few = $middle;
}
// Below, PHP does not start. From here on it opens the store, then the snapshot, then the counters.
$seen = [];
for ($kilobytes = $enough + 32; $kilobytes < $enough + 2200; $kilobytes += 12) {
    [$status, $output] = $run($kilobytes);
    same("$kilobytes KiB: $output", 0, $status);
    $seen[implode(' ', array_slice(explode(' ', $output), 0, 2))] = true;
}
same('from too little to enough for answers', ['begun none', 'begun current'], array_keys($seen));
echo "done\n";
--EXPECT--
done
