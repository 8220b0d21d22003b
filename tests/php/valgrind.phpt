--TEST--
valgrind finds no access to memory that is not the extension's, and nothing lost
--FILE--
<?php
require __DIR__ . '/support.inc';

$flags = [
    'on' => true,
    'half' => ['enabled' => true, 'rollout' => ['percentage' => 50]],
    'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 'acme']], 'requires' => ['on'],
        'rules' => [['name' => 'pros', 'when' => ['all' => [['attribute' => 'plan', 'eq' => 'pro'], ['attribute' => 'seats', 'gte' => 10]]]]]],
    'variants' => ['enabled' => true, 'variants' => ['a' => ['weight' => 50, 'value' => ['deep' => [1, 2.5, null, 'x', []]]], 'b' => ['weight' => 50]]],
];
$store = store($flags);
$other = store(['on' => false]);
$script = "$store.php";
file_put_contents($script, <<<'PHP'
<?php
[, $store, $other] = $argv;
feature_explain('on');
flagstone_use($store);
$throws = new class { public function __toString(): string { throw new LogicException(str_repeat('no', 100)); } };
$companies = range(1, 50);
foreach (['on', 'half', 'pilot', 'variants', 'unknown', "h\0", ''] as $flag) {
    foreach ([...$companies, 'acme', '15', '', str_repeat('k', 2000), null, -1, PHP_INT_MIN, 2.0] as $company) {
        foreach ([[], ['plan' => 'pro', 'seats' => 10.5], ['plan' => ['x'], 'seats' => new stdClass],
            ['plan' => new SplFileInfo('pro'), 'seats' => new DateTime('2026-12-01T08:00:00Z')], ['plan' => $throws, 'seats' => $throws]] as $context) {
            feature_enabled($flag, $company, $context);
            feature_variant($flag, $company, $context);
            feature_value($flag, $company, $context, ['default']);
            feature_explain($flag, $company, $context);
        }
    }
    feature_possible($flag);
    feature_needs($flag);
    feature_filter($flag, ['x' => 15, 'acme', 1.0, null, "7" => "15", "\xff" => "\xff"]);
}
feature_all('acme', ['plan' => 'pro']);
feature_all('acme', ['plan' => new SplFileInfo('pro'), 'seats' => $throws]);
feature_filter('pilot', [15, 16], ['plan' => new SplFileInfo('pro'), 'seats' => $throws]);
foreach ([[], [[]], ['a', new stdClass], ['a', true], ['a', 1, 'x'], ['a', 1, [], 1, 1]] as $arguments) {
    foreach (['feature_enabled', 'feature_variant', 'feature_value', 'feature_explain', 'feature_all', 'feature_filter'] as $function) {
        try {
            $function(...$arguments);
        } catch (TypeError) {
        }
    }
}
flagstone_override(['on' => false, 'half' => 'a', 'pilot' => [15 => true, 'acme' => 'v']], true);
feature_all(15);
feature_variant('half', 1);
feature_value('pilot', 'acme');
flagstone_override(null);
try {
    flagstone_override(['on' => 1.5]);
} catch (TypeError) {
}
flagstone_use($other);
flagstone_use("$other-missing");
flagstone_use($store);
for ($publish = 0; $publish < 3; $publish++) {
    exec($argv[3 + $publish % 2] . ' 2>&1', $output, $failed);
    if ($failed) {
        echo implode("\n", $output), "\n";
    }
    flagstone_refresh();
    flagstone_status();
}
ob_start();
phpinfo(INFO_MODULES);
ob_end_clean();
flagstone_override(['left behind' => 'at the end']);
echo flagstone_status()['generation'], "\n";
PHP);
$publish = fn ($file) => implode(' ', array_map('escapeshellarg', [getenv('FLAGSTONE_BIN'), 'publish', $file, '--reset', '*', '--yes', '--store', $store]));
foreach (['private', 'shared'] as $map) {
    $command = ['valgrind', '-q', '--error-exitcode=99', '--leak-check=full', '--errors-for-leak-kinds=definite,indirect', '--num-callers=30',
        PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.map=$map", '-d', 'error_log=/dev/null', '-d', 'display_errors=0',
        $script, $store, $other, $publish("$other.json"), $publish("$store.json")];
    $found = shell_exec('USE_ZEND_ALLOC=0 ZEND_DONT_UNLOAD_MODULES=1 ' . implode(' ', array_map('escapeshellarg', $command)) . ' 2>&1; echo exit status $?');
    same($map, ($map === 'private' ? 4 : 6) . "\nexit status 0\n", $found);
}
echo "done\n";
--EXPECT--
done
