<?php

/*
 * Builds each row's tree anew and asks all three sides, as the row's user. See tests/trust/cases.json.
 *
 *     check.php [PART-OF-A-NAME]   every row
 *     check.php --ask STORE        what this PHP answers from the store
 */

declare(strict_types=1);

if (($argv[1] ?? '') === '--ask') {
    if (!in_array('flagstone', get_loaded_extensions(), true)) {
        require __DIR__ . '/polyfill/bootstrap.php';
    }
    flagstone_use($argv[2]);
    $on = feature_enabled('x');
    $status = flagstone_status();
    echo json_encode(['on' => $on, 'warning' => (string) $status['warning'], 'error' => (string) $status['last_error']], JSON_UNESCAPED_SLASHES);
    exit(0);
}

const USERS = ['root' => 0, 'deploy' => 64001, 'worker' => 64002, 'stranger' => 64003];
const TEAM = 64100;

$base = (string) getenv('FLAGSTONE_TEST_DIR');
/** @return array{int, string} exit code and output */
$run = static function (string $command): array {
    exec("{ $command; } 2>&1", $output, $code);

    return [$code, implode("\n", $output)];
};
$must = static function (string $command) use ($run): void {
    [$code, $output] = $run($command);
    if ($code !== 0) {
        echo "$command\n$output\n";
        exit(1);
    }
};
// Where other users can read them.
$must('cp -r ' . escapeshellarg(dirname(__DIR__, 2) . '/polyfill') . ' ' . escapeshellarg(__FILE__) . " $base/");
$must('cp ' . escapeshellarg((string) getenv('FLAGSTONE_EXTENSION')) . " $base/flagstone.so");
$must('cp ' . escapeshellarg((string) getenv('FLAGSTONE_BIN')) . " $base/flagstone");
$must("chmod -R a+rX $base");
file_put_contents("$base/flags.json", '{"flags": {"x": true}}');
$must("$base/flagstone init $base/good --environment production");
$must("$base/flagstone publish $base/flags.json --store $base/good");

$cases = json_decode((string) file_get_contents(__DIR__ . '/cases.json'), true, 512, JSON_THROW_ON_ERROR);
$sides = ['extension' => "-d extension=$base/flagstone.so", 'polyfill' => ''];
[$failures, $asked] = [0, 0];
foreach ($cases as $number => $row) {
    ['name' => $name, 'make' => $make, 'open' => $open, 'as' => $as] = $row;
    if (!str_contains($name, $argv[1] ?? '')) {
        continue;
    }
    $d = "$base/$number";
    $must("mkdir -m 0755 $d $d/app && cp -a $base/good $d/app/store");
    $variables = "D=$d DEPLOY=" . USERS['deploy'] . ' WORKER=' . USERS['worker'] . ' STRANGER=' . USERS['stranger'] . ' TEAM=' . TEAM;
    $must("cd $d && $variables sh -ec " . escapeshellarg($make));
    // The longer names first.
    $filled = static fn (string $text): string => strtr($text, ['$DEPLOY' => (string) USERS['deploy'], '$WORKER' => (string) USERS['worker'],
        '$STRANGER' => (string) USERS['stranger'], '$TEAM' => (string) TEAM, '$D' => $d]);
    $wanted = array_map($filled, $row['says']);
    $user = USERS[$as];
    $asUser = $user === 0 ? '' : "setpriv --reuid $user --regid $user --clear-groups ";
    $asUser .= isset($row['within']) ? "$row[within] " : '';
    $store = escapeshellarg("$d/$open");
    $found = [];
    foreach ($sides as $side => $options) {
        $options .= isset($row['owner']) ? ' -d flagstone.owner=' . $filled($row['owner']) : '';
        [$code, $output] = $run("cd / && $asUser" . escapeshellarg(PHP_BINARY) . " -n -d error_log=/dev/null -d display_errors=1 $options $base/check.php --ask $store");
        $found[$side] = json_decode($output, true) ?? ['on' => null, 'warning' => '', 'error' => "exit code $code: $output"];
    }
    [$code, $output] = $run("cd / && $asUser$base/flagstone status --store $store --json 2>$base/stderr");
    $json = json_decode($output, true);
    $output .= file_get_contents("$base/stderr");
    $problem = $json['error'] ?? null;
    // The command knows no php.ini.
    if (!isset($row['owner'])) {
        $found['command'] = ['on' => $code === 0 && $problem === null, 'warning' => $json['permissions'] ?? '', 'error' => (string) ($problem ?? $output)];
    }
    foreach ($found as $side => ['on' => $on, 'warning' => $warning, 'error' => $error]) {
        ++$asked;
        // Root's command becomes the store's owner first, and judges as that user does.
        $asOwner = $side === 'command' && $user === 0 && str_ends_with($name, 'asked by root') && fileowner("$d/$open") !== 0;
        [$expect, $says] = $asOwner ? [str_contains($name, 'mode 1777') ? 'trusted' : 'warned', []] : [$row['expect'], $wanted];
        $text = $expect === 'refused' ? $error : $warning;
        $right = $on === ($expect !== 'refused') && ($expect !== 'trusted' || $warning === '');
        $missing = array_filter($says, static fn (string $part): bool => !str_contains($text, $part));
        if (!$right || $missing !== []) {
            ++$failures;
            echo "$name, as $as: the $side: expected $expect", $missing === [] ? '' : "\n  with \"" . implode("\"\n  with \"", $missing) . '"',
                "\n  found ", $on ? 'on' : 'off', "\n  warning: $warning\n  error: $error\n";
        }
    }
    // Whatever the mode or owner is now.
    $must("chmod -R u+rwX $d; rm -rf $d");
}
/** @return array<string, string> the command that asks each side for a store */
$asking = static fn (string $store): array => [
    ...array_map(static fn (string $options): string => escapeshellarg(PHP_BINARY)
        . " -n -d error_log=/dev/null -d display_errors=1 $options $base/check.php --ask $store", $sides),
    'command' => "$base/flagstone status --store $store --json",
];
$judge = static function (string $name, string $side, bool $on, array $says, array $ran) use (&$failures, &$asked): void {
    ++$asked;
    $json = json_decode($ran[1], true);
    $found = $json['on'] ?? ($ran[0] === 0 && ($json['error'] ?? null) === null);
    $missing = array_filter($says, static fn (string $part): bool => !str_contains($ran[1], $part));
    if ($found !== $on || $missing !== []) {
        ++$failures;
        echo "$name: the $side: expected ", $on ? 'on' : 'off', ' ', implode(', ', $missing), "\n  found $ran[1]\n";
    }
};
if (!isset($argv[1])) {
    $d = "$base/mounts";
    $must("mkdir -m 0755 $d $d/app $d/automount && cp -a $base/good $d/app/store");
    $automount = 'unshare --mount --propagation private python3 ' . escapeshellarg(__DIR__ . '/automount.py') . " $d/automount $d/app";
    foreach ($asking("$d/automount/store") as $side => $command) {
        $ran = $run("cd / && $automount $command");
        if ($ran[0] === 77) {
            echo "trust: this kernel has no autofs\n";
            continue;
        }
        $judge('a store below an automount', $side, true, [], $ran);
    }

    $script = "cp -a $d/app/store $d/copy && mount -t tmpfs -o mode=0755 none $d/app && cp -a $d/copy $d/app/store && echo ready && exec sleep 60";
    $container = proc_open(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', $script], [1 => ['pipe', 'w']], $pipes);
    if ($container === false || fgets($pipes[1]) !== "ready\n") {
        echo "trust: there is no mount namespace\n";
        exit(1);
    }
    $pid = proc_get_status($container)['pid'];
    foreach ($asking('store') as $side => $command) {
        $says = ['the working directory is not what ', 'by an absolute path. Where the store is a container\'s, run the command there (docker exec'];
        $judge('a working directory of another mount namespace', $side, false, $says, $run("cd /proc/$pid/root$d/app && $command"));
        $judge('a working directory', $side, true, [], $run("cd $d/app && $command"));
    }
    foreach ($asking("/proc/$pid/root$d/app/store") as $side => $command) {
        $says = ["/proc/$pid/root is a link of /proc", "Where the store is a container's, run the command there (docker exec"];
        $judge('the root of a process', $side, false, $says, $run("cd / && $command"));
    }
    proc_terminate($container);
    proc_close($container);
}
if ($asked === 0) {
    echo "trust: no row has that name\n";
    exit(1);
}
echo $failures === 0 ? "trust: $asked answers are as expected\n" : "trust: $failures of $asked answers are wrong\n";
exit($failures === 0 ? 0 : 1);
