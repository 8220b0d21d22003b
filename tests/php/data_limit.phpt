--TEST--
a worker that starts without memory for the newest generation has everything off, and not what the one before it said
--FILE--
<?php
require __DIR__ . '/support.inc';

// It answered from the generation before, where what the newest denies and disables was on.
$store = store(['portal' => ['enabled' => true], 'gone' => ['enabled' => true]]);
publish($store, [
    'portal' => ['enabled' => true, 'companies' => ['deny' => array_map(fn (int $i): string => "company-$i", range(1, 60_000))]],
    'gone' => ['enabled' => false],
    'everybody' => ['enabled' => true],
]);
$code = 'echo "begun ", json_encode([feature_enabled("portal", "company-7"), feature_enabled("gone"), feature_enabled("everybody"), flagstone_status()["source"]]);';
$run = function (int $kilobytes) use ($store, $code): array {
    $command = ['prlimit', '--data=' . $kilobytes * 1024, PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store",
        '-d', 'flagstone.telemetry=Off', '-d', 'error_log=/dev/null', '-r', $code];
    $output = [];
    exec(implode(' ', array_map('escapeshellarg', $command)) . ' 2>&1', $output, $status);

    return [$status, implode("\n", $output)];
};
$seen = [];
for ($kilobytes = 2_000; $kilobytes < 24_000; $kilobytes += 400) {
    [$status, $output] = $run($kilobytes);
    if (str_starts_with($output, 'begun')) {
        same("$kilobytes KiB: $output", 0, $status);
        $seen[$output] = true;
    }
}
same('off, or the newest', ['begun [false,false,false,"none"]', 'begun [false,false,true,"current"]'], array_keys($seen));
echo "done\n";
--EXPECT--
done
