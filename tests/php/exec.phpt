--TEST--
a process that becomes another program did not fail, and one that died while its child sleeps did
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['on' => true]);
$memory = getenv('FLAGSTONE_TEST_DIR') . '/memory-' . uniqid();
mkdir($memory);
$settings = ['flagstone.store' => $store, 'flagstone.telemetry' => $memory];
$counted = function () use ($memory, $store): array {
    $flag = json_decode(flagstone('stats', '--json', '--memory', $memory, '--store', $store), true)['flags'][0];

    return [$flag['on'], $flag['cohorts']['on']['requests'], $flag['cohorts']['on']['errors']];
};

// It was counted as one that died.
php('feature_enabled("on"); pcntl_exec("/bin/true");', $settings);
same('another program', [1, 1, 0], $counted());
php('feature_enabled("on"); @pcntl_exec("/nowhere"); feature_enabled("on"); throw new Exception("x");', $settings + ['error_log' => '/dev/null']);
same('a program that is not there', [3, 3, 1], $counted());
php('flagstone_request_begin(); feature_enabled("on"); pcntl_exec("/bin/true");', $settings);
same('within a mark', [4, 4, 1], $counted());
php('feature_enabled("on"); if (pcntl_fork() === 0) { pcntl_exec("/bin/true"); } pcntl_wait($status); throw new Exception("x");', $settings + ['error_log' => '/dev/null']);
same('a child that becomes another program', [5, 5, 2], $counted());

// A child of a fork kept its dead parent's cells taken for as long as it lived.
$sleeper = "$store.sleeper";
php('feature_enabled("on"); if (pcntl_fork() === 0) { fclose(STDIN); fclose(STDOUT); fclose(STDERR); file_put_contents(' . var_export("$sleeper.new", true) . ', getmypid());
        rename(' . var_export("$sleeper.new", true) . ', ' . var_export($sleeper, true) . '); sleep(100); exit; }
    while (!file_exists(' . var_export($sleeper, true) . ')) { usleep(1000); clearstatcache(); } exec("kill -9 " . getmypid());', $settings);
same('a process that died while its child sleeps', [6, 6, 3], $counted());
exec('kill -9 ' . (int) file_get_contents($sleeper));
same('and afterwards', [6, 6, 3], $counted());
echo "done\n";
--EXPECT--
done
