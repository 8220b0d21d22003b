--TEST--
eight processes of a million questions each, killed at random and begun again: none that was acknowledged is lost, none is counted twice
--FILE--
<?php
require __DIR__ . '/support.inc';

const WORKERS = 8;
const CALLS = 1_000_000;
$store = store(['half' => ['enabled' => true, 'rollout' => ['percentage' => 50]]]);
$directory = getenv('FLAGSTONE_TEST_DIR') . '/killed-' . uniqid();
mkdir($directory);
mkdir("$directory/memory");
// Each notes in its file what came back from the extension, before it asks again.
file_put_contents("$store.php", <<<'PHP'
<?php
$file = fopen($argv[1], 'c+');
stream_set_write_buffer($file, 0);
$asked = unpack('P', fread($file, 8) ?: str_repeat("\0", 8))[1];
while ($asked < 1_000_000) {
    feature_enabled('half', $asked & 1023);
    $asked++;
    fseek($file, 0);
    fwrite($file, pack('P', $asked));
}
PHP);
$command = [PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store",
    '-d', "flagstone.telemetry=$directory/memory", "$store.php"];
$start = fn (int $worker) => proc_open([...$command, "$directory/$worker"], [1 => ['file', '/dev/null', 'w']], $pipes);
$asked = fn (int $worker) => unpack('P', (@file_get_contents("$directory/$worker") ?: '') ?: str_repeat("\0", 8))[1];
$workers = array_map($start, range(0, WORKERS - 1));
$kills = 0;
mt_srand(7);
$until = microtime(true) + 300;
while (($running = array_filter($workers, fn ($worker) => proc_get_status($worker)['running'])) !== []) {
    if (microtime(true) > $until) {
        exit("they do not end\n");
    }
    usleep(mt_rand(1_000, 60_000));
    $victim = array_rand($running);
    $count = $asked($victim);
    if ($count === 0 || $count === CALLS) {
        continue;
    }
    proc_terminate($workers[$victim], 9);
    $kills++;
    do {
        usleep(100);
    } while (proc_get_status($workers[$victim])['running']);
    $workers[$victim] = $start($victim);
}
$acknowledged = array_sum(array_map($asked, range(0, WORKERS - 1)));
$flags = json_decode(flagstone('stats', '--json', '--memory', "$directory/memory", '--store', $store), true)['flags'];
$total = $flags[0]['on'] + $flags[0]['off'];
same('acknowledged', WORKERS * CALLS, $acknowledged);
same('enough of them were killed', true, $kills >= 20);
same("acknowledged ≤ total ≤ acknowledged + kills: $acknowledged, $total, $kills kills", true, $acknowledged <= $total && $total <= $acknowledged + $kills);
echo "done\n";
--EXPECT--
done
