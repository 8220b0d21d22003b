--TEST--
answers and what requests came to are counted, by PHP-FPM's requests, jobs that are marked, and children of a fork
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['on' => true, 'off' => false, 'other' => true]);
$memory = getenv('FLAGSTONE_TEST_DIR') . '/memory-' . uniqid();
mkdir($memory);
$settings = ['flagstone.store' => $store, 'flagstone.telemetry' => $memory];
$stats = fn () => json_decode(flagstone('stats', '--json', '--memory', $memory, '--store', $store), true);
$of = function (string $flag) use ($stats) {
    $flags = array_column($stats()['flags'], null, 'flag');
    $counts = $flags[$flag] ?? null;
    $cohort = fn ($cohort) => "{$cohort['requests']}/{$cohort['errors']}";

    return $counts === null ? null : "on {$counts['on']} ({$cohort($counts['cohorts']['on'])}), off {$counts['off']} ({$cohort($counts['cohorts']['off'])}), gated {$counts['gated']}, mixed {$counts['mixed']}";
};

php('for ($i = 0; $i < 100; $i++) { feature_enabled("on", $i); feature_enabled("on", "x$i"); } feature_variant("off");', $settings);
same('a process is a request', 'on 200 (1/0), off 0 (0/0), gated 0, mixed 0', $of('on'));
same('a variant is a question', 'on 0 (0/0), off 1 (1/0), gated 0, mixed 0', $of('off'));
php('feature_peek("on"); feature_all(); feature_explain("on"); feature_filter("on", [1, 2]); feature_possible("on"); feature_needs("on");', $settings);
same('a look exposes nothing, and what looks ahead is no question', 'on 201 (1/0), off 0 (0/0), gated 0, mixed 0', $of('on'));
php('feature_enabled("on"); throw new Exception("x");', $settings);
same('an exception that nobody caught', 'on 202 (2/1), off 0 (0/0), gated 0, mixed 0', $of('on'));
php('feature_enabled("on"); try { throw new Exception("x"); } catch (Exception) {} echo $undefined;', $settings);
same('one that somebody caught, and a warning', 'on 203 (3/1), off 0 (0/0), gated 0, mixed 0', $of('on'));

php('feature_enabled("other"); foreach ([0, 500, 200, -1] as $status) { flagstone_request_begin(); feature_enabled("on");
    flagstone_request_begin(); feature_enabled("off"); flagstone_request_end(500); flagstone_request_end($status); } flagstone_request_end(500);', $settings);
same('jobs', 'on 207 (7/3), off 0 (0/0), gated 0, mixed 0', $of('on'));
same('a job within a job is a part of it', 'on 0 (0/0), off 5 (5/2), gated 0, mixed 0', $of('off'));
same('what was asked before the first', 'on 1 (0/0), off 0 (0/0), gated 0, mixed 0', $of('other'));
php('flagstone_request_begin(); feature_enabled("on"); feature_enabled("off"); flagstone_gated("off"); flagstone_gated("no"); flagstone_request_end(404);', $settings);
same('gated', 'on 0 (0/0), off 6 (5/2), gated 1, mixed 0', $of('off'));
same('gated by another', 'on 208 (7/3), off 0 (0/0), gated 0, mixed 0', $of('on'));
same('an unlikely status', "flagstone_request_end(): Argument #1 (\$status) must be an HTTP status from 100 to 599, 0 for none, or -1 for an exception, 42 given",
    php('try { flagstone_request_end(42); } catch (ValueError $e) { echo $e->getMessage(); }', $settings));

php('for ($i = 0; $i < 1000; $i++) feature_enabled("other", $i);
    for ($child = 0; $child < 4; $child++) { if (pcntl_fork() === 0) { for ($i = 0; $i < 50000; $i++) feature_enabled("other", $i); exit; } }
    for ($i = 0; $i < 50000; $i++) feature_enabled("other", $i);
    while (pcntl_wait($status) > 0);', $settings);
same('children count in cells of their own', 'on 251001', explode(' (', $of('other'))[0]);

$told = php('flagstone_override(["on" => false]); feature_enabled("on"); feature_enabled("other");', $settings);
same('what a test told is no answer', 'on 208', explode(' (', $of('on'))[0]);
php('feature_enabled("on");', ['flagstone.telemetry' => 'Off'] + $settings);
same('off', 'on 208', explode(' (', $of('on'))[0]);

$error = php('echo +feature_enabled("on"), "\n", flagstone_status()["telemetry"]["error"];', ['flagstone.telemetry' => "$memory/none", 'error_log' => '/dev/null'] + $settings);
same('without memory', true, str_starts_with($error, "1\nnothing is counted: cannot make $memory/none/"));

file_put_contents("$store.forgets.php", '<?php $memory = ini_get("flagstone.telemetry"); feature_enabled("on"); array_map("unlink", glob("$memory/*/*")); sleep(2);
    for ($i = 0; $i < 200; $i++) { feature_enabled("on"); usleep(10000); } echo count(glob("$memory/*/*.counters"));');
$forgets = php('', $settings, "$store.forgets.php");
same('memory that was removed is made again', '1', $forgets);

// Within a mark content stays, and kills come through.
$code = 'flagstone_request_begin(); echo +feature_enabled("on"), +feature_enabled("other");
    exec($argv[1]); sleep(2); for ($i = 0; $i < 200; $i++) { $on = [feature_enabled("on"), feature_enabled("other")]; usleep(10000); } echo +$on[0], +$on[1];
    flagstone_request_end(); flagstone_request_begin(); echo +feature_enabled("on"), +feature_enabled("other");';
file_put_contents("$store.next.json", '{"flags": {"on": false, "other": true, "off": false}}');
$bin = escapeshellarg(getenv('FLAGSTONE_BIN'));
$at = '--store ' . escapeshellarg($store);
$change = "$bin disable on $at --yes; $bin kill other --reason test $at";
file_put_contents("$store.php", '<?php $argv = [0, ' . var_export($change, true) . '];' . $code);
same('a mark holds content, not kills', '111000', php('', $settings, "$store.php"));
flagstone('revive', 'other', '--store', $store);

// Experiments: what is tracked in a request is counted for the arm that it got of each flag that it asked.
$arms = function (string $flag) use ($memory, $store) {
    $told = json_decode(flagstone('experiment', $flag, '--json', '--memory', $memory, '--store', $store), true);
    $line = fn ($arm) => ($arm['variant'] ?? $arm['arm']) . " {$arm['converted']}/{$arm['requests']} " . $arm['sum'];

    return implode(', ', array_map(fn ($event) => "{$event['event']}: " . implode(', ', array_map($line, $event['arms'])), $told['events']));
};
publish($store, ['tested' => ['enabled' => true, 'variants' => ['a' => ['weight' => 50, 'value' => 1], 'b' => ['weight' => 50]]], 'plain' => ['enabled' => true, 'rollout' => ['percentage' => 50]]]);
$seen = php('for ($company = 0; $company < 200; $company++) {
    flagstone_request_begin(); $variant = feature_variant("tested", $company); feature_value("tested", $company); feature_enabled("plain", $company);
    $seen[$variant] = ($seen[$variant] ?? 0) + 1; if ($company % 2) { feature_track("order", 2.5); feature_track("order"); }
    flagstone_request_end(200); } ksort($seen); echo json_encode($seen);', $settings);
$seen = json_decode($seen, true);
same('requests by variant', 1, preg_match("~^order: a (\d+)/{$seen['a']} ([\d.]+), b (\d+)/{$seen['b']} ([\d.]+)$~", $arms('tested'), $found));
same('each second one ordered, for 3.5', [100, 350.0], [$found[1] + $found[3], (float) ($found[2] + $found[4])]);
same('on and off are the arms of a flag without variants', 1, preg_match('~^order: off (\d+)/\d+ [\d.]+, on (\d+)/\d+ [\d.]+$~', $arms('plain'), $found));
same('all orders', 100, $found[1] + $found[2]);
php('flagstone_request_begin(); feature_track("early"); feature_enabled("plain", 1); flagstone_request_end(500); feature_track("after the end");', $settings);
same('what is tracked before the question counts', 1, preg_match('~early: (off 1/\d+ 1, on 0/\d+ 0|off 0/\d+ 0, on 1/\d+ 1)~', $arms('plain')));
same('what is tracked outside a request does not', false, str_contains($arms('plain'), 'after'));
same('bad events', "feature_track(): Argument #1 (\$event) must have 1 to 64 bytes, it has 0\nfeature_track(): Argument #1 (\$event) must have 1 to 64 bytes, it has 65\nfeature_track(): Argument #2 (\$value) must be a finite number\n",
    php('foreach ([[""], [str_repeat("x", 65)], ["x", NAN]] as $arguments) { try { feature_track(...$arguments); } catch (ValueError $e) { echo $e->getMessage(), "\n"; } }', $settings) . "\n");
echo "done\n";
--EXPECT--
done
