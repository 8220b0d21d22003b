<?php

/*
 * Documents with one fault, or none, put in at random: what `flagstone check` refuses the polyfill refuses, at the same
 * pointer, and what it accepts the polyfill accepts.
 *
 *     refusals.php DOCUMENTS [SEED]
 */

declare(strict_types=1);

use Flagstone\Polyfill\File\Document;
use Flagstone\Polyfill\LoadError;

error_reporting(E_ALL);
set_error_handler(static function (int $severity, string $message, string $file, int $line): never {
    throw new ErrorException($message, 0, $severity, $file, $line);
});
foreach (['Pools', 'Definitions'] as $class) {
    require __DIR__ . "/$class.php";
}
require __DIR__ . '/../../polyfill/bootstrap.php';

const FLAGS = JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT | JSON_THROW_ON_ERROR;

/** Changes one value, somewhere. */
function spoil(mixed &$value, int $depth = 0): void
{
    $keys = is_object($value) ? array_keys((array) $value) : (is_array($value) ? array_keys($value) : []);
    if ($keys !== [] && ($depth < 2 || Pools::chance(75))) {
        $key = Pools::pick($keys);
        if (is_object($value)) {
            spoil($value->{$key}, $depth + 1);
        } else {
            spoil($value[$key], $depth + 1);
        }
        return;
    }
    $names = ['attribute', 'eq', 'in', 'all', 'segment', 'percentage', 'weight', 'value', 'enabled', 'rollout', 'companies', 'requires', 'rules', 'schedule', 'variants',
        'emergency', 'expires', '$comment', 'by', 'salt', 'at', 'when', 'name', 'roll-out', '', 'flag key', 'owner', 'deny', 'allow', 'not', 'before', 'lt',
        'plan', 'managed', 'was', 'stages', 'soak', 'companies', 'state', 'guard', 'error_rate', 'p95_ms', 'relative', 'window', 'action'];
    $values = [null, true, false, 0, 1, -1, 100, 101, 50, 12.5, 0.0005, 33.333, 1e300, '', 'x', '42', 'company', 'now', 'crc32', 'keep', 'flag_0', 'flag_9', 's0', '2026-12-01T08:00:00Z',
        '2026-02-29', '2028-02-29', '1.2.3', 'v1.2.3', str_repeat('n', 1025), [], [1, 2], ['flag_1'], [[]], new stdClass(), (object) ['percentage' => 50], (object) ['enabled' => true],
        (object) ['attribute' => 'plan', 'eq' => 'pro'], (object) ['segment' => 's1'], (object) ['weight' => 100],
        'git', '7d', '0d', '30s', '5m', 'hold', (object) ['error_rate' => 0.1, 'window' => '5m'], (object) ['relative' => (object) ['p95' => 1.5, 'errors' => 2], 'cooldown' => '1h', 'watch' => '2d', 'min_companies' => 3], (object) ['stages' => [(object) ['percentage' => 5]]], [(object) ['percentage' => 5], (object) ['percentage' => 5]]];
    if (is_object($value) && Pools::chance(60)) {
        $key = Pools::pick($keys === [] ? $names : $keys);
        match (mt_rand(0, 2)) {
            0 => $value->{Pools::pick($names)} = Pools::pick($values),
            1 => $value->{$key . 'x'} = $value->{$key} ?? null,
            default => (static function () use ($value, $key): void {
                unset($value->{$key});
            })(),
        };
    } elseif (is_array($value) && Pools::chance(60)) {
        $value[] = $value === [] || Pools::chance(50) ? Pools::pick($values) : Pools::pick($value);
    } else {
        $value = Pools::pick($values);
    }
}

/** Says of a flag, or of several, what must not be said although each part is sound. */
function misuse(stdClass $tree): void
{
    [$one, $two, $many] = [$tree->flags->flag_0, $tree->flags->flag_2, fn (int $count, mixed $item): array => array_fill(0, $count, $item)];
    $test = (object) ['attribute' => 'plan', 'eq' => 'pro'];
    match (mt_rand(0, 20)) {
        19 => $one->was = Pools::pick(['flag_0', 'flag_1', 'flag_99', '', 'a b', 5]),
        20 => [$one->was, $two->was] = Pools::pick([['x', 'x'], ['x', 'y'], ['flag_1', 'y']]),
        0 => $one->variants = (object) ['a' => (object) ['weight' => 33.333], 'b' => (object) ['weight' => Pools::pick([66.667, 66.666])]],
        1 => $one->companies = (object) ['allow' => [1, '7', 'x'], 'deny' => [2, Pools::pick([7, '07', 'x', 'X'])]],
        2 => $one->schedule = [(object) ['at' => '2026-12-01T08:00:00Z', 'percentage' => 1], (object) ['at' => Pools::pick(['2026-12-01T09:00:00+01:00', '2026-12-01T09:00:00Z']), 'percentage' => 2]],
        3 => $tree->flags->flag_1->requires = [Pools::pick(['flag_0', 'flag_1', 'flag_2', 'flag_9', 'unknown'])],
        4 => $one->rules = [(object) ['when' => (object) ['segment' => Pools::pick(['s0', 's9', 'S0'])]]],
        5 => $tree->segments->s0 = (object) ['segment' => Pools::pick(['s0', 's1'])],
        6 => (static function () use ($two): void {
            unset($two->rollout);
        })(),
        7 => $one->rules = $many(Pools::pick([1000, 1001]), (object) ['when' => (object) ['all' => []]]),
        8 => $one->rules = $many(10, (object) ['when' => (object) ['any' => $many(Pools::pick([1000, 1001]), $test)]]),
        9 => (static function () use ($tree, $one): void {
            for ($i = 0, $count = Pools::pick([64, 65]); $i < $count; ++$i) {
                $tree->flags->{"r$i"} = $i === 0 ? true : (object) ['enabled' => true, 'requires' => ['r' . ($i - 1)]];
            }
            $one->requires = ['r' . ($count - 1)];
        })(),
        10 => (static function () use ($tree, $two, $test): void {
            $tree->segments->deep0 = $test;
            for ($i = 1, $count = Pools::pick([61, 62, 63, 64]); $i < $count; ++$i) {
                $tree->segments->{"deep$i"} = (object) ['not' => (object) ['segment' => 'deep' . ($i - 1)]];
            }
            $two->rules = [(object) ['when' => (object) ['all' => [(object) ['segment' => 'deep' . ($count - 1)]]]]];
        })(),
        11 => $tree->flags->{Pools::pick([str_repeat('k', 191), str_repeat('k', 192), 'ü', '-a', 'a b', '7'])} = true,
        12 => [$tree->flags->flag_0 = Pools::pick([false, true]), $tree->environments->production->flags->flag_0 = (object) ['rollout' => (object) ['percentage' => 5]]],
        13 => $tree->environments->{Pools::pick(['Staging', 'staging', 'a b'])} = (object) [Pools::pick(['flags', 'segments', 'environments', 'flag']) => new stdClass()],
        14 => $one->variants = (object) ['a' => (object) ['weight' => 100, 'value' => array_reduce(range(1, Pools::pick([32, 33])), static fn (mixed $inner): array => [$inner])]],
        15 => $two->rollout = (object) ['percentage' => Pools::pick([33.333, 33.3335, 0.001, 0.0001])],
        16 => $two->rollout = (object) ['percentage' => 1, 'by' => Pools::pick(['now', 'then', '7', 'a b'])],
        17 => $two->rollout = (object) ['percentage' => 1, 'salt' => str_repeat('s', Pools::pick([0, 1, 1024, 1025]))],
        18 => $two->rules = [(object) ['when' => (object) ['attribute' => 'n', 'in' => [Pools::pick(['LARGEST', 'LARGER'])]]]],
    };
}

/** Changes a few bytes. */
function scratch(string $text): string
{
    $at = mt_rand(0, strlen($text) - 1);

    return match (mt_rand(0, 5)) {
        0 => substr($text, 0, $at),
        1 => substr_replace($text, '', $at, 1),
        2 => substr_replace($text, Pools::pick(['{', '}', '[', ']', ',', ':', '"', '\\', '0', '-', '.', 'e', 'true', "\n", "\t", "\x01", "\xff", "'", '// no', '\u12', '\ud800', 'é']), $at, 0),
        3 => (string) preg_replace('/\d+/', Pools::pick(['01', '1.', '.5', '+1', '1e', '-', '9223372036854775807', '9223372036854775808', '-9223372036854775809', '1e999', '1.50', 'NaN']), $text, 1),
        // A member twice.
        4 => (string) preg_replace('/("[a-z]+": (?:\d+|"\w*"|true|false))(?=[,\n])/', '$1, $1', $text, 1),
        default => substr($text, 0, $at) . Pools::pick(["\xEF\xBB\xBF", "\xFF\xFE", ' ']) . substr($text, $at),
    };
}

[, $documents, $seed] = $argv + [2 => (string) random_int(1, 1_000_000_000)];
echo "parity of refusals: $documents documents, seed $seed\n";
mt_srand((int) $seed);
$directory = getenv('FLAGSTONE_TEST_DIR') . '/refusals';
mkdir($directory);
$counts = ['accepted' => 0, 'refused' => 0, 'at the same pointer' => 0];
$random = static function (): array {
    [$document] = Definitions::random(Pools::companies());
    $flags = (array) $document['flags'];
    // A few, so that a fault is met often.
    $keys = array_merge(['flag_0', 'flag_1', 'flag_2', 'flag_9'], array_map(static fn () => 'op.' . Pools::pick(Pools::OPERATORS), range(1, 3)));
    foreach ($flags as $key => &$flag) {
        unset($flag['requires']);
    }
    $flags['flag_2']['requires'] = ['flag_1', 'flag_9'];
    $flags['flag_9']['requires'] = ['flag_1'];
    $patch = ['flags' => ['flag_0' => ['enabled' => true, 'rollout' => ['percentage' => 5]], 'flag_1' => $flags['flag_1']]];

    return ['flags' => array_intersect_key($flags, array_flip($keys)), 'environments' => ['production' => $patch]] + $document;
};
for ($number = 0; $number < (int) $documents; ++$number) {
    $tree = $number % 4 === 0 || !isset($text) ? json_decode(json_encode($random(), FLAGS)) : json_decode($sound);
    $sound = json_encode($tree, FLAGS);
    if ($number % 3 === 0) {
        $text = scratch($sound);
    } else {
        if ($number % 3 === 1) {
            misuse($tree);
        } else {
            for ($faults = mt_rand(1, 2); $faults > 0; --$faults) {
                spoil($tree);
            }
        }
        $text = strtr(json_encode($tree, FLAGS), ['"LARGEST"' => '9223372036854775807', '"LARGER"' => '9223372036854775808']);
    }
    $path = "$directory/flags.json";
    file_put_contents($path, $text);
    $said = [];
    exec(escapeshellarg(getenv('FLAGSTONE_BIN')) . ' check ' . escapeshellarg($path) . ' --environment production 2>&1', $said, $code);
    try {
        new Document($path, $text, 'production');
        $refused = null;
    } catch (LoadError $problem) {
        $refused = $problem->getMessage();
    }
    if (($code === 0) !== ($refused === null)) {
        copy($path, 'target/refused.json');
        echo "document $number, seed $seed: flagstone check ends with $code:\n", implode("\n", $said), "\n\nthe polyfill says:\n", $refused ?? 'nothing', "\n\n", substr($text, 0, 4000), "\n";
        exit(1);
    }
    ++$counts[$refused === null ? 'accepted' : 'refused'];
    if ($refused !== null) {
        $pointer = static fn (string $line): string => preg_match('~flags\.json(?::\d+:\d+)?: (/\S*?):~', $line, $found) === 1 ? $found[1] : '';
        $counts['at the same pointer'] += array_intersect(array_map($pointer, $said), array_map($pointer, explode("\n", $refused))) !== [] ? 1 : 0;
    }
}
if ($counts['accepted'] * 20 < (int) $documents || $counts['refused'] * 20 < (int) $documents) {
    echo 'parity: too few of one kind: ', json_encode($counts), "\n";
    exit(1);
}
echo 'parity: ', implode(', ', array_map(static fn ($what, $count) => "$count $what", array_keys($counts), $counts)), "\n";
