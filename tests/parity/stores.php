<?php

/*
 * What the extension and the polyfill make of stores that are damaged, shared, replaced or changed under their eyes: answers and
 * status must be the same, texts included. Only the operating system's own words for why a file cannot be opened differ.
 *
 *     stores.php                   every case, both sides, all at once
 *     stores.php STORE [COMMAND]   one side of one case: asks, runs the command, asks again
 */

declare(strict_types=1);

const FLAG = 'dark_mode';

function run(string $command): void
{
    exec("( $command ) 2>&1", $output, $code);
    if ($code !== 0) {
        fwrite(STDERR, "$command\n" . implode("\n", $output) . "\n");
        exit(1);
    }
}

if (isset($argv[1])) {
    if (!extension_loaded('flagstone')) {
        require __DIR__ . '/../../polyfill/bootstrap.php';
    }
    $said = [flagstone_use($argv[1]), feature_enabled(FLAG), flagstone_status()];
    if (isset($argv[2])) {
        run($argv[2]);
        // The extension looks at most once a second, and every 256 questions, whether the head was replaced.
        usleep(1_200_000);
        for ($i = 0; $i < 300; ++$i) {
            feature_enabled(FLAG);
        }
        array_push($said, feature_enabled(FLAG), feature_explain(FLAG), flagstone_refresh(), feature_enabled(FLAG), flagstone_status());
    }
    // A name that is refused leaves no store.
    array_push($said, flagstone_use(''), feature_enabled(FLAG), flagstone_status());
    array_walk($said, function (&$part): void {
        if (is_array($part)) {
            unset($part['backend'], $part['sigbus'], $part['age'], $part['map'], $part['published_at'], $part['telemetry'], $part['counters']['on'], $part['counters']['off']);
        }
    });
    echo json_encode($said, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
    exit(0);
}

$flagstone = escapeshellarg(getenv('FLAGSTONE_BIN'));
$directory = getenv('FLAGSTONE_TEST_DIR') . '/stores';
mkdir($directory);
$original = "$directory/original";
run("$flagstone --store $original init --environment production");
foreach ([true, false, true] as $number => $on) {
    file_put_contents("$directory/flags.json", json_encode(['flags' => [FLAG => $on, "n$number" => true]]));
    run("$flagstone --store $original publish --reset all --yes $directory/flags.json");
}
$change = static fn (string $words): string => "$flagstone --store STORE $words --reason test >&2";
$newer = 'STORE/snapshots/*3-*';
$another = "$flagstone --store STORE.other init --environment";
$overwrite = static fn (string $file, int $at): string => "printf X | dd of=$file bs=1 seek=$at conv=notrunc status=none";

// What is done before a process opens the store.
$cases = [
    'nothing' => ':',
    'writable by everybody' => 'chmod 777 STORE',
    'sticky' => 'chmod 1777 STORE',
    'writable by a group' => 'chmod 775 STORE',
    'head writable by everybody' => 'chmod 666 STORE/head',
    'head writable by a group' => 'chmod 660 STORE/head',
    'snapshots writable by everybody' => 'chmod 777 STORE/snapshots',
    'snapshot writable by everybody' => "chmod 666 $newer",
    'no store' => 'rm -r STORE',
    'a file' => 'rm -r STORE; touch STORE',
    'no head' => 'rm STORE/head',
    'killed' => $change('kill ' . FLAG),
    'stopped' => $change('stop-all --yes'),
    'snapshot removed' => "rm $newer",
    'snapshot a link' => "f=$(echo $newer); mv \$f STORE/away; ln -s ../away \$f",
    'snapshot a pipe' => "f=$(echo $newer); rm \$f; mkfifo \$f",
    'snapshot damaged' => "chmod 644 $newer; " . $overwrite("$(echo $newer)", 700),
    'snapshot of another magic' => "chmod 644 $newer; " . $overwrite("$(echo $newer)", 0),
    'snapshot cut off' => "chmod 644 $newer; truncate -s 900 $newer",
    'snapshot too long' => "chmod 644 $newer; truncate -s 1000 $newer",
    'snapshot cut off in the header' => "chmod 644 $newer; truncate -s 100 $newer",
    'snapshot empty' => "chmod 644 $newer; truncate -s 0 $newer",
    'snapshot of another generation' => "chmod 644 $newer; cat STORE/snapshots/*1-* > $(echo $newer)",
    'both snapshots damaged' => "chmod 644 STORE/snapshots/*; truncate -s 1000 STORE/snapshots/*",
    'head of another magic' => $overwrite('STORE/head', 0),
    'head of another format' => $overwrite('STORE/head', 8),
    'snapshot of another format' => "chmod 644 $newer; " . $overwrite("$(echo $newer)", 8),
    'head damaged' => $overwrite('STORE/head', 60),
    'head cut off' => 'truncate -s 1000 STORE/head',
    'pointer damaged' => $overwrite('STORE/head', 400),
];
if (fileowner($directory) === 0) {
    // Only root can give files away.
    $cases += ['store of another owner' => 'chown 1234 STORE', 'head of another owner' => 'chown 1234 STORE/head',
        'head of another owner in a directory that a group can write' => 'chmod 775 STORE; chown 1234 STORE/head'];
}
// What is done while a process has the store open.
$while = [
    'published' => "$flagstone --store STORE publish $directory/flags.json --reason test; " . $change('kill n2'),
    'killed' => $change('kill ' . FLAG),
    'stopped' => $change('stop-all --yes'),
    'rolled back' => $change('rollback --to 2'),
    'head replaced' => 'cp STORE/head STORE/new; mv STORE/new STORE/head; ' . $change('kill ' . FLAG),
    'head replaced by an older one' => 'cp STORE/head STORE/new; ' . $change('rollback --to 2') . '; mv STORE/new STORE/head',
    'head put back in place' => 'cp STORE/head STORE/new; ' . $change('rollback --to 2') . '; cat STORE/new > STORE/head',
    'head of another environment' => "$another staging >&2; mv STORE.other/head STORE/head",
    'head of another environment in place' => "$another staging >&2; cat STORE.other/head > STORE/head",
    'head of an empty store' => "$another production >&2; mv STORE.other/head STORE/head",
    'head of another store in place' => "$another production >&2; cat STORE.other/head > STORE/head",
    'head removed' => 'rm STORE/head',
    'everything removed' => 'rm -r STORE',
    'opened to everybody' => 'chmod 777 STORE',
    'killed, and opened to everybody' => $change('kill ' . FLAG) . '; chmod 777 STORE',
    'rolled back, and opened to everybody' => $change('rollback --to 2') . '; chmod 777 STORE',
    'head replaced, and opened to everybody' => 'cp STORE/head STORE/new; mv STORE/new STORE/head; chmod 777 STORE',
    'rolled back, and opened to a group' => $change('rollback --to 2') . '; chmod 775 STORE',
    'rolled back to a damaged snapshot' => $change('rollback --to 2') . '; chmod 644 STORE/snapshots/*4-*; truncate -s 700 STORE/snapshots/*4-*',
];

$sides = ['extension' => ['-d', 'extension=' . getenv('FLAGSTONE_EXTENSION')], 'polyfill' => []];
$running = [];
foreach (['before' => $cases, 'while' => $while] as $when => $commands) {
    foreach ($commands as $name => $command) {
        foreach ($sides as $side => $options) {
            $store = "$directory/" . count($running) . "-$side";
            run("cp -a $original $store");
            $command = str_replace('STORE', $store, $commands[$name]);
            if ($when === 'before') {
                run($command);
            }
            $process = proc_open([PHP_BINARY, '-n', ...$options, __FILE__, $store, ...($when === 'before' ? [] : [$command])], [1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
            $running["$when: $name"][$side] = [$process, $pipes[1], $store];
        }
    }
}
$differ = 0;
$sources = [];
foreach ($running as $name => $case) {
    $said = [];
    foreach ($case as $side => [$process, $pipe, $store]) {
        $text = str_replace($store, 'STORE', stream_get_contents($pipe));
        $code = proc_close($process);
        if ($code !== 0) {
            echo "$name: the $side ended with $code\n$text\n";
            exit(1);
        }
        preg_match_all('/"source": "(\w+)"/', $text, $found);
        $sources += array_flip($found[1]);
        // The last word is the operating system's or PHP's; the rest of the text is not.
        $said[$side] = preg_replace('/: (No such file or directory|Too many levels of symbolic links|Not a directory) \(os error \d+\)|: entity not found|: it is not there(, or may not be looked at)?'
            . '|: it is no plain file, or may not be read|: the snapshot is not a regular file|cannot open the snapshot (?=STORE)/', '', $text);
    }
    if ($said['extension'] !== $said['polyfill']) {
        ++$differ;
        echo "$name\n";
        [$one, $two] = [explode("\n", $said['extension']), explode("\n", $said['polyfill'])];
        foreach ($one as $at => $line) {
            if ($line !== ($two[$at] ?? '')) {
                echo "  extension: $line\n  polyfill:  ", $two[$at] ?? '', "\n";
            }
        }
    }
}
$never = array_diff(['current', 'previous', 'last_good', 'none'], array_keys($sources));
if ($differ > 0 || $never !== []) {
    echo "parity: $differ stores are seen differently; sources never met: ", implode(', ', $never) ?: 'none', "\n";
    exit(1);
}
echo 'parity: ', count($running), " stores in trouble are seen alike\n";
