<?php

/*
 * Makes the rounds, runs both sides on each, and compares.
 *
 *     compare.php QUESTIONS [SEED [file]]     file: the polyfill answers from the definitions' file, the extension from its store
 */

declare(strict_types=1);

foreach (['Pools', 'Definitions'] as $class) {
    require __DIR__ . "/$class.php";
}

const QUESTIONS_A_BLOCK = 250;
const BLOCKS_A_ROUND = 80;

/** Runs the command; its output, or the end of everything. */
function command(string ...$arguments): void
{
    $line = implode(' ', array_map('escapeshellarg', [getenv('FLAGSTONE_BIN'), ...$arguments])) . ' 2>&1';
    exec($line, $output, $code);
    if ($code !== 0) {
        fwrite(STDERR, "$line\n" . implode("\n", $output) . "\n");
        exit(1);
    }
}

function write(string $path, mixed $document): void
{
    file_put_contents($path, json_encode($document, JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR));
}

/** What is left of a value that a patch sets: in an object null deletes. */
function patched(mixed $value): mixed
{
    if (is_object($value) || (is_array($value) && !array_is_list($value))) {
        $members = array_filter((array) $value, static fn (mixed $member): bool => $member !== null);

        return (object) array_map('patched', $members);
    }

    return $value;
}

/**
 * Publishes definitions of which an environment's patch has a part, and writes them to a file of which an overlay has another;
 * the file that tells both sides.
 */
function prepareFile(string $directory, int $number, int $seed): string
{
    mt_srand(crc32("$seed/$number/file"));
    $companies = Pools::companies();
    [$document, $flags] = Definitions::random($companies);
    $all = (array) $document['flags'];
    [$base, $patch, $overlay] = [[], [], []];
    foreach ($all as $key => $flag) {
        $part = mt_rand(0, 5);
        if ($part === 0) {
            $patch[$key] = $flag;
        } elseif ($part === 1) {
            $overlay[$key] = $flag;
        }
        // What a patch of an object replaces: nothing, true, or an object of which it deletes what it does not name.
        $base[$key] = $part > 1 ? $flag : Pools::pick([true, ['enabled' => true, 'emergency' => 'keep']]);
        if ($part < 2 && is_array($base[$key])) {
            $part === 0 ? $patch[$key] += ['emergency' => null] : $overlay[$key] += ['emergency' => null];
        }
    }
    $environments = ['production' => ['flags' => (object) $patch], 'staging' => ['flags' => ['42' => false]]];
    $published = ['flags' => (object) (array_diff_key($base, $overlay) + array_map('patched', array_intersect_key($all, $overlay))), 'environments' => $environments] + $document;
    $store = "$directory/store-file-$number";
    command('--store', $store, 'init', '--environment', 'production');
    write("$directory/flags.json", $published);
    command('--store', $store, 'publish', "$directory/flags.json", '--reset', '*', '--yes');
    write("$directory/flags.json", ['flags' => (object) $base, 'environments' => $environments] + $document);
    write("$directory/flags.local.json", ['flags' => (object) $overlay]);
    $file = ["$directory/flags.json", 'production', "$directory/flags.local.json"];
    file_put_contents("$directory/round", serialize(['store' => $store, 'file' => $file, 'flags' => $flags, 'companies' => $companies, 'seed' => $seed * 1000 + $number]));

    return "$directory/round";
}

/** Publishes definitions and turns things off, as that round's number says; the file that tells both sides. */
function prepare(string $directory, int $number, int $seed): string
{
    mt_srand(crc32("$seed/$number"));
    $companies = Pools::companies();
    [$document, $flags] = Definitions::random($companies);
    $store = "$directory/store-$number";
    command('--store', $store, 'init', '--environment', 'production');
    if ($number !== 1) {
        write("$directory/flags.json", $document);
        command('--store', $store, 'publish', "$directory/flags.json", '--reset', '*', '--yes');
        for ($kills = [0, 0, 3, 8][$number % 4]; $kills > 0; --$kills) {
            command('--store', $store, 'kill', '--reason', 'parity', Pools::pick($flags));
        }
        if ($number % 5 === 4) {
            command('--store', $store, 'stop-all', '--yes', '--reason', 'parity');
        }
    }
    file_put_contents("$directory/round", serialize(['store' => $store, 'flags' => $flags, 'companies' => $companies, 'seed' => $seed * 1000 + $number]));

    return "$directory/round";
}

/** Both sides' lines: the extension's, the polyfill's. */
function both(string ...$arguments): array
{
    $sides = [];
    foreach ([['-d', 'extension=' . getenv('FLAGSTONE_EXTENSION')], []] as $options) {
        $process = proc_open([PHP_BINARY, '-n', '-d', 'memory_limit=512M', ...$options, __DIR__ . '/answer.php', ...$arguments], [1 => ['pipe', 'w']], $pipes);
        $sides[] = [$process, $pipes[1]];
    }
    $lines = [];
    foreach ($sides as [$process, $pipe]) {
        $lines[] = explode("\n", trim(stream_get_contents($pipe)));
        $code = proc_close($process);
        if ($code !== 0) {
            fwrite(STDERR, implode("\n", array_slice(end($lines), -20)) . "\nparity: a side ended with $code\n");
            exit(1);
        }
    }

    return $lines;
}

/** Prints the first question of a block that the sides answer differently. */
function difference(string $round, int $block): never
{
    [$extension, $polyfill] = both($round, '0', (string) QUESTIONS_A_BLOCK, (string) $block);
    foreach ($extension as $at => $line) {
        if ($line !== ($polyfill[$at] ?? null)) {
            [$question, $answer] = array_map(static fn ($part) => unserialize(base64_decode($part)), explode(' ', $line));
            [, $other] = array_map(static fn ($part) => unserialize(base64_decode($part)), explode(' ', $polyfill[$at] ?? ' '));
            echo "the sides differ in block $block, question $at\n\nasked: ", var_export($question, true), "\n\n";
            if (is_array($answer) && is_array($other)) {
                foreach ($answer as $part => $said) {
                    if (serialize($said) === serialize($other[$part] ?? null)) {
                        unset($answer[$part], $other[$part]);
                    }
                }
            }
            echo 'extension: ', var_export($answer, true), "\n\npolyfill: ", var_export($other, true), "\n";
            exit(1);
        }
    }
    echo "the sides differ in block $block, but not when asked again\n";
    exit(1);
}

$questions = (int) ($argv[1] ?? 1_000_000);
$seed = (int) (($argv[2] ?? '') ?: random_int(1, 1_000_000_000));
$ofFile = ($argv[3] ?? '') === 'file';
$rounds = max($ofFile ? 3 : 8, (int) ceil($questions / (QUESTIONS_A_BLOCK * BLOCKS_A_ROUND)));
$blocks = max(1, (int) ceil($questions / $rounds / QUESTIONS_A_BLOCK));
$directory = getenv('FLAGSTONE_TEST_DIR');
echo $ofFile ? 'parity of a file with a store: ' : 'parity: ', "$rounds rounds of $blocks blocks of ", QUESTIONS_A_BLOCK, " questions, seed $seed\n";
$began = hrtime(true);
$tally = [];
for ($number = 0; $number < $rounds; ++$number) {
    $round = $ofFile ? prepareFile($directory, $number, $seed) : prepare($directory, $number, $seed);
    [$extension, $polyfill] = both($round, (string) $blocks, (string) QUESTIONS_A_BLOCK);
    foreach ($extension as $block => $hash) {
        if ($hash !== ($polyfill[$block] ?? null)) {
            echo "round $number, seed $seed: " . ($ofFile ? "php tests/parity/compare.php $questions $seed file" : "tests/parity/run $questions $seed") . "\n";
            if ($block >= $blocks) {
                echo "the statuses or the tallies differ:\n$hash\n", $polyfill[$block] ?? 'nothing', "\n";
                exit(1);
            }
            difference($round, $block);
        }
    }
    foreach (json_decode(end($extension), true) as $what => $count) {
        $tally[$what] = ($tally[$what] ?? 0) + $count;
    }
}

$reasons = ['unknown_flag', 'disabled', 'prerequisite', 'denied', 'allowed', 'rule', 'no_company', 'no_key', 'full', 'rollout_in', 'rollout_out', 'override'];
$reasons = $ofFile ? $reasons : [...$reasons, 'no_snapshot', 'killed', 'emergency_stop'];
$expected = ['bucket of an int', 'bucket of another company', 'no variant', 'variant array', 'variant other'];
foreach ($reasons as $reason) {
    $expected[] = "reason $reason";
}
foreach (Pools::OPERATORS as $operator) {
    array_push($expected, "$operator holds", "$operator does not hold");
}
foreach (['a number', 'a string', 'a bool', 'a time', 'a version', 'a number, a string or a bool', 'a value of the list, which mixes kinds', 'an int or a string'] as $kind) {
    array_push($expected, "unknown: an object, expected $kind", "unknown: an array, expected $kind");
}
array_push($expected, 'unknown: a string, expected a number', 'unknown: an int, expected a string', 'unknown: a resource, expected a string', 'unknown: a float, expected an int or a string');
$never = [];
foreach ($expected as $what) {
    if (!$ofFile) {
        printf("%10d  %s\n", $tally[$what] ?? 0, $what);
    }
    if (!isset($tally[$what])) {
        $never[] = $what;
    }
}
if ($never !== []) {
    echo 'parity: never met: ', implode(', ', $never), "\n";
    exit(1);
}
printf("parity: %d questions, each asked five ways, answered alike in %.0f s\n", $rounds * $blocks * QUESTIONS_A_BLOCK, (hrtime(true) - $began) / 1e9);
