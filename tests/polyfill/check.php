<?php

declare(strict_types=1);

use Flagstone\Polyfill\Bucket;
use Flagstone\Polyfill\Company;
use Flagstone\Polyfill\Evaluator;
use Flagstone\Polyfill\Head;
use Flagstone\Polyfill\Number;
use Flagstone\Polyfill\Problem;
use Flagstone\Polyfill\Process;
use Flagstone\Polyfill\Semver;
use Flagstone\Polyfill\Snapshot;
use Flagstone\Polyfill\Status;
use Flagstone\Polyfill\Store;
use Flagstone\Polyfill\Time;
use Flagstone\Polyfill\Trust;

const ROOT = __DIR__ . '/../..';

error_reporting(E_ALL);
set_error_handler(static function (int $severity, string $message, string $file, int $line): bool {
    if (error_reporting() & $severity) {
        throw new ErrorException($message, 0, $severity, $file, $line);
    }

    return true;
});
if (extension_loaded('flagstone')) {
    fwrite(STDERR, "the extension is loaded; these are the polyfill's tests\n");
    exit(1);
}
require ROOT . '/polyfill/bootstrap.php';

$tests = [];
function test(string $name, callable $body): void
{
    $GLOBALS['tests'][$name] = $body;
}
function same(mixed $expected, mixed $found, string $about = ''): void
{
    if ($expected !== $found) {
        throw new Exception("$about: found " . var_export($found, true) . ', expected ' . var_export($expected, true));
    }
}
/** Runs PHP in a process of its own; its output. */
function php(string $code, array $settings = []): string
{
    $line = escapeshellarg(PHP_BINARY) . ' -n';
    foreach ($settings as $name => $value) {
        $line .= ' -d ' . escapeshellarg("$name=$value");
    }
    $boot = var_export(ROOT . '/polyfill/bootstrap.php', true);
    exec("$line -r " . escapeshellarg("require $boot; $code") . ' 2>&1', $output);

    return implode("\n", $output);
}
function command(string ...$arguments): string
{
    exec(implode(' ', array_map('escapeshellarg', [getenv('FLAGSTONE_BIN'), ...$arguments])) . ' 2>&1', $output, $code);
    same(0, $code, implode("\n", $output));

    return implode("\n", $output);
}
/** A fresh store that holds these flags. */
function store(array $flags): string
{
    static $number = 0;
    $store = getenv('FLAGSTONE_TEST_DIR') . '/store-' . ++$number;
    command('--store', $store, 'init', '--environment', 'production');
    publish($store, $flags);

    return $store;
}
function publish(string $store, array $flags): void
{
    file_put_contents("$store/../flags.json", json_encode(['flags' => $flags]));
    command('--store', $store, 'publish', "$store/../flags.json", '--reset', 'all', '--prune', '--yes');
}
/** The newest snapshot's file. */
function snapshot(string $store): string
{
    $files = glob("$store/snapshots/*.snapshot");
    sort($files);

    return end($files);
}

test('every key falls in the bucket of the vectors', function () {
    $vectors = json_decode(file_get_contents(ROOT . '/tests/vectors/buckets.json'), true);
    same(true, count($vectors) > 40);
    foreach ($vectors as $vector) {
        $key = is_string($vector['key']) ? Company::normal($vector['key']) : $vector['key'];
        same($vector['bucket'], Bucket::of($key, Bucket::seed($vector['salt'])), "{$vector['salt']} {$vector['key']}");
        same($vector['crc32_percent'] * 1000, Bucket::crc32($key), (string) $vector['key']);
    }
});

test('every function is there, and its signature is the stub\'s but for the company\'s type', function () {
    $signature = static function (string $name, string $parameters, string $return): string {
        return "$name(" . preg_replace('/\s+/', ' ', $parameters) . "): $return";
    };
    preg_match_all('/^function (\w+)\((.*)\): (\S+) \{\}$/m', file_get_contents(ROOT . '/php-stubs/flagstone.stub.php'), $stubs, PREG_SET_ORDER);
    same(17, count($stubs));
    foreach ($stubs as [, $name, $parameters, $return]) {
        $function = new ReflectionFunction($name);
        $found = array_map(static function (ReflectionParameter $parameter): string {
            $text = $parameter->getName() === 'company' ? 'int|string|null' : (string) $parameter->getType();
            $text .= ' $' . $parameter->getName();
            if ($parameter->isDefaultValueAvailable()) {
                $value = $parameter->getDefaultValue();
                $text .= ' = ' . ($value === [] ? '[]' : strtolower(var_export($value, true)));
            }

            return $text;
        }, $function->getParameters());
        same($signature($name, $parameters, $return), $signature($name, implode(', ', $found), (string) $function->getReturnType()));
    }
});

test('the version is the workspace\'s', function () {
    preg_match('/^version = "(.*)"$/m', file_get_contents(ROOT . '/Cargo.toml'), $found);
    same($found[1], Status::VERSION);
});

test('an int times the golden ratio wraps at 64 bits', function () {
    // Computed with integers of any size.
    foreach ([[1, 32, 0x9E3779B9], [-1, 32, 0x61C88646], [PHP_INT_MAX, 8, 0xE1], [PHP_INT_MIN, 4, 8], [0, 16, 0], [42, 16, 0xF519], [0x1_FFFF_FFFF, 32, 0x605D7E70], [3, 0, 0]] as [$key, $bits, $expected]) {
        same($expected, Number::fibonacci($key, $bits), "$key, $bits bits");
    }
});

test('a float is a company only where it is exactly one int', function () {
    foreach ([15.0 => 15, '9007199254740991' => 2 ** 53 - 1] as $float => $int) {
        same([$int, -$int], [Company::key((float) $float, 'f', 1, 'c'), Company::key(-(float) $float, 'f', 1, 'c')], "$float");
    }
    foreach ([15.5, 2.0 ** 53, -(2.0 ** 53), 1e18, 2.0 ** 63, INF, NAN] as $float) {
        try {
            Company::key($float, 'f', 1, 'c');
            same('a TypeError', 'a company', "$float");
        } catch (TypeError $error) {
            same('f(): Argument #1 ($c) must be of type string|int|null, float given', $error->getMessage(), "$float");
        }
    }
});

test('an int and a float compare by value without rounding', function () {
    foreach ([[1, 1.0, 0], [1, 1.5, -1], [-1, -1.5, 1], [0, -0.0, 0], [2 ** 53 + 1, 2.0 ** 53, 1], [PHP_INT_MAX, 2.0 ** 63, -1],
        [PHP_INT_MIN, -(2.0 ** 63), 0], [PHP_INT_MIN, -INF, 1], [0, NAN, null]] as [$int, $float, $expected]) {
        same($expected, Number::compare($int, $float), "$int and $float");
        same($expected === null ? null : -$expected, Number::compare($float, $int), "$float and $int");
    }
});

test('versions have the precedence of the specification', function () {
    $ascending = ['0.0.0', '0.0.1-0', '0.0.1', '0.10.0', '1.0.0-2', '1.0.0-10', '1.0.0--', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0', '2.0.0', '18446744073709551616.0.0'];
    foreach ($ascending as $i => $a) {
        foreach ($ascending as $j => $b) {
            same($i <=> $j, Semver::compare($a, $b), "$a and $b");
        }
    }
    foreach (['', '1', '1.2', 'v1.2.3', '01.2.3', '1.2.3-01', '1.2.3+', "1.2.3\n", '1.2.3-ä'] as $text) {
        same(null, Semver::compare($text, '1.2.3'), $text);
    }
});

test('times are read to the microsecond, and nothing else is', function () {
    foreach (['1970-01-01T00:00:00Z' => 0, '1969-12-31T23:59:59Z' => -1_000_000, '2000-02-29T12:00:00Z' => 951_825_600_000_000, '2026-12-01T09:30:00+01:30' => 1_796_112_000_000_000,
        '0000-01-01T00:00:00Z' => -62_167_219_200_000_000, '1970-01-01T00:00:00.123456789Z' => 123_456] as $text => $micros) {
        same($micros, Time::parse($text), $text);
    }
    foreach (['', '2026-12-01', '2026-02-29T08:00:00Z', '1900-02-29T08:00:00Z', '2026-12-01T24:00:00Z', "2026-12-01T08:00:00Z\n", '2026-12-01T08:00:00.1234567890Z'] as $text) {
        same(null, Time::parse($text), $text);
    }
    same(PHP_INT_MAX, Time::ofSeconds(PHP_INT_MAX));
    same(PHP_INT_MIN, Time::ofSeconds(-INF));
    same(1_796_112_000_000_000, Time::ofSeconds(1_796_112_000.0000008), "below a microsecond is dropped");
    same([0, -1], [Time::ofSeconds(0.0000008), Time::ofSeconds(-0.0000002)]);
});

test('a company that is an object, a bool or an array is a TypeError in the extension\'s words', function () {
    foreach ([[new ArrayObject(), 'ArrayObject given; pass its key, such as $company->getKey()'], [true, 'bool given'], [[], 'array given']] as [$company, $words]) {
        try {
            feature_enabled('portal', $company);
            throw new Exception('nothing was thrown');
        } catch (TypeError $error) {
            same('feature_enabled(): Argument #2 ($company) must be of type string|int|null, ' . $words, $error->getMessage());
        }
    }
});

test('without a store every flag is off, and status says what to do', function () {
    same('no_snapshot', feature_explain('portal')['reason']);
    same([], feature_all());
    same(true, str_starts_with(flagstone_status()['last_error'], 'no store: set flagstone.store'));
    same('none', flagstone_status()['source']);
});

test('the store is named by php.ini, by the application or by a constant, in this order', function () {
    $one = store(['one' => true]);
    $two = store(['two' => true]);
    $print = 'echo implode(",", array_keys(feature_all()));';
    same('one', php($print, ['flagstone.store' => $one]));
    same('one', php("define('FLAGSTONE_STORE', '$one'); $print"));
    same('two', php("define('FLAGSTONE_STORE', '$one'); flagstone_use('$two'); $print"));
    same('nontwo', php("echo flagstone_use('$one') ? 'yes' : 'non'; $print", ['flagstone.store' => $two]));
    same('yestwo', php("echo flagstone_use('$two/.') ? 'yes' : 'no'; $print", ['flagstone.store' => $two]));
    same('off, flagstone.store is "flags" in php.ini, expected an absolute path: every flag is off',
        php('echo feature_enabled("a") ? "on" : "off", ", ", flagstone_status()["last_error"];', ['flagstone.store' => 'flags']));
});

test('a refresh moves to the newest generation, and a look does within the refresh interval', function () {
    $store = store(['portal' => false]);
    same(true, flagstone_use($store));
    same(false, feature_enabled('portal'));
    publish($store, ['portal' => true]);
    same(false, feature_enabled('portal'), 'pinned');
    same(true, flagstone_refresh());
    same(false, flagstone_refresh());
    same(true, feature_enabled('portal'));
    command('--store', $store, 'kill', 'portal', '--reason', 'test');
    usleep(1_100_000);
    same('killed', feature_explain('portal')['reason']);
    same(['portal'], flagstone_status()['killed']);
    command('--store', $store, 'revive', 'portal', '--reason', 'test');
    flagstone_refresh();
    same(true, feature_enabled('portal'));
});

test('a damaged snapshot is refused: what was good goes on, and a new process takes the one before', function () {
    $store = store(['portal' => true]);
    same(true, flagstone_use($store));
    publish($store, ['portal' => false]);
    $file = snapshot($store);
    chmod($file, 0o644);
    $bytes = file_get_contents($file);
    $bytes[600] = chr(ord($bytes[600]) ^ 1);
    file_put_contents($file, $bytes);
    same(false, flagstone_refresh());
    same([true, 'last_good', 1], [feature_enabled('portal'), flagstone_status()['source'], flagstone_status()['counters']['refused']]);
    same(true, str_contains(flagstone_status()['last_error'], 'checksum'));
    same('previous', php("flagstone_use('$store'); echo flagstone_status()['source'];"));
});

test('no byte of a snapshot can be changed without being noticed', function () {
    $store = store(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 30], 'companies' => ['allow' => [1, 'x']]]]);
    $file = snapshot($store);
    $bytes = file_get_contents($file);
    $end = unpack('P', $bytes, 64 + 13 * 24)[1];
    $read = static function (string $bytes): ?string {
        $memory = fopen('php://memory', 'w+b');
        fwrite($memory, $bytes);
        rewind($memory);
        try {
            Snapshot::read($memory, strlen($bytes));
        } catch (Problem $problem) {
            return $problem->getMessage();
        }

        return null;
    };
    same(null, $read($bytes));
    $covered = [[0, 512]];
    for ($section = 0; $section < 13; ++$section) {
        $covered[] = array_values(unpack('P2', $bytes, 64 + $section * 24));
    }
    foreach ($covered as [$offset, $size]) {
        for ($at = $offset; $at < $offset + $size; ++$at) {
            $damaged = $bytes;
            $damaged[$at] = chr(ord($damaged[$at]) ^ 0x40);
            same(true, $read($damaged) !== null, "byte $at of $end");
        }
    }
    foreach ([0, 8, 511, 512, $end - 1, strlen($bytes) - 1] as $length) {
        same(true, $read(substr($bytes, 0, $length)) !== null, "cut to $length");
    }
});

test('a long list that stays in the file answers as one in memory, and damage to it is noticed', function () {
    mt_srand(7);
    $random = array_map(static fn () => mt_rand(), range(1, 9_000));
    $texts = array_map(static fn (int $id): string => "company-$id", $random);
    $dense = range(1_000, 900_000, 3);
    $on = ['enabled' => true, 'rollout' => ['percentage' => 0]];
    $store = store(['random' => $on + ['companies' => ['allow' => [...$random, ...$texts]]], 'dense' => $on + ['companies' => ['allow' => $dense]]]);
    $path = snapshot($store);
    $size = filesize($path);
    $read = static fn (bool $whole): Snapshot => Snapshot::read(fopen($path, 'rb'), $size, $whole);
    $before = memory_get_usage();
    $file = new Evaluator($read(false), [], false);
    same(true, memory_get_usage() - $before < 100_000, 'the lists are in memory');
    $memory = new Evaluator($read(true), [], false);
    $met = [];
    foreach ([...array_slice($random, 0, 500), ...array_slice($texts, 0, 500), ...range(900, 2_000), 900_000, -1, PHP_INT_MAX, 'acme'] as $company) {
        foreach (['random', 'dense'] as $flag) {
            $number = $memory->snapshot->find($flag);
            $allowed = $memory->enabled($number, $company, [], 0);
            same($allowed, $file->enabled($number, $company, [], 0), "$flag $company");
            $met[$flag . gettype($company)][$allowed] = true;
        }
    }
    same([2, 2, 2, 1], [count($met['randominteger']), count($met['randomstring']), count($met['denseinteger']), count($met['densestring'])]);

    $bytes = file_get_contents($path);
    chmod($path, 0o644);
    foreach ([11, 12] as $section) {
        [$offset, $length] = array_values(unpack('P2', $bytes, 64 + $section * 24));
        foreach ([$offset, $offset + intdiv($length, 2), $offset + $length - 1] as $at) {
            file_put_contents($path, substr_replace($bytes, $bytes[$at] ^ "\x40", $at, 1));
            try {
                $read(false);
                throw new Exception("byte $at was changed unnoticed");
            } catch (Problem $problem) {
                same(true, str_contains($problem->getMessage(), 'checksum'), $problem->getMessage());
            }
        }
    }
    file_put_contents($path, $bytes);
    $cut = new Evaluator($read(false), [], false);
    file_put_contents($path, substr($bytes, 0, 2_000));
    try {
        $cut->enabled($cut->snapshot->find('random'), $random[0], [], 0);
        throw new Exception('nothing was thrown');
    } catch (Problem $problem) {
        same(true, str_contains($problem->getMessage(), 'fewer than the bytes that it had'));
    }
});

test('a head that moved on while its snapshot was opened is followed, kills included', function () {
    $store = store(['portal' => false, 'other' => true]);
    $reader = new Store($store);
    publish($store, ['portal' => false]);
    [$slow, $removed] = [Head::read(Trust::directory($store)), snapshot($store)];
    publish($store, ['portal' => true, 'other' => true]);
    command('--store', $store, 'kill', 'other', '--reason', 'test');
    unlink($removed);
    (new ReflectionMethod(Store::class, 'load'))->invoke($reader, $slow, hrtime(true));
    same([3, 'current', 0, ['other']], [$reader->generation, $reader->source, $reader->refused, $reader->killed]);
});

test('kills and the stop hold where the head is overwritten, and a process that starts then has everything off', function () {
    // It once took zeros for "nothing is killed", and a stop with damaged words for none.
    $store = store(['portal' => true, 'other' => true]);
    $over = function (int $at, string $bytes) use ($store): void {
        $file = fopen("$store/head", 'c');
        fseek($file, $at);
        fwrite($file, $bytes);
        fclose($file);
    };
    $switches = function (Store $reader): array {
        $reader->look();

        return [$reader->killed, $reader->stopped, $reader->lastError() === null];
    };
    command('--store', $store, 'kill', 'portal', '--reason', 'test');
    $running = new Store($store);
    $slot = substr(file_get_contents("$store/head"), 4_096, 256);
    foreach ([str_repeat("\0", 256), str_repeat("\0", 65_536 - 4_096), substr_replace($slot, '?', 100, 1), str_repeat("\x24", 256)] as $bytes) {
        $over(4_096, $bytes);
        same([['portal'], false, false], $switches($running));
        same([[], true, false], $switches(new Store($store)));
    }
    foreach (['one', 'two'] as $flag) {
        command('--store', $store, 'kill', $flag, '--reason', 'test', '--force');
        same(true, in_array('portal', $switches($running)[0], true), $flag);
        command('--store', $store, 'revive', $flag);
    }
    command('--store', $store, 'kill', 'portal', '--reason', 'test');
    command('--store', $store, 'resume-all');
    same([['portal'], false, true], $switches($running));
    same([['portal'], false, true], $switches(new Store($store)));
    command('--store', $store, 'revive', 'portal');
    same([[], false, true], $switches($running));
    foreach ([2, -1, 0x0100] as $word) {
        $over(272, pack('P', $word));
        same([false, true], [$switches($running)[1], $switches(new Store($store))[1]], (string) $word);
    }
    $over(272, pack('P', 0));
    command('--store', $store, 'stop-all', '--reason', 'test', '--yes');
    same(true, $switches($running)[1]);
    $over(272, pack('P', 2));
    same([true, true], [$switches($running)[1], $switches(new Store($store))[1]]);
});

test('a snapshot that memory_limit has no room for is refused instead of ending the process', function () {
    $companies = range(1, 9_000_000, 30);
    $store = store(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => $companies]], 'other' => true]);
    $ask = "flagstone_use('$store'); echo feature_enabled('portal', 31) ? 'on ' : 'off ', flagstone_status()['last_error'];";
    same('on', php($ask, ['memory_limit' => '32M']));
    same(1, preg_match('/^off generation 1 was refused: .* it takes \d+ bytes of memory, and memory_limit leaves \d+; raise memory_limit$/', php($ask, ['memory_limit' => '4M'])));
});

test('a store below open_basedir answers, and one above or beside it does not', function () {
    $store = store(['portal' => true]);
    $ask = fn (string $path): string => php("echo flagstone_use('$path') ? 'used ' : 'not ', feature_enabled('portal') ? 'on ' : 'off ', flagstone_status()['warning'];",
        ['open_basedir' => realpath(ROOT) . ":$store"]);
    same('used on who can write / is not known: open_basedir hides it', $ask($store));
    same('not off', $ask('/'));
    same('not off', $ask('/var'));
});

test('a store that was left stays open', function () {
    [$one, $two] = [store(['portal' => true]), store(['portal' => false])];
    $snapshots = [];
    foreach ([$one, $two, $one, $two, $one] as $store) {
        same(true, flagstone_use($store));
        same([$store === $one, $store], [feature_enabled('portal'), flagstone_status()['store']]);
        $snapshots[$store][spl_object_id(Process::store()->snapshot)] = Process::store()->snapshot;
    }
    same([1, 1], array_map('count', array_values($snapshots)));
});

test('the first refresh of a process moves to a generation, the second does not', function () {
    $store = store(['portal' => true]);
    same('yes no', php("echo flagstone_refresh() ? 'yes ' : 'no ', flagstone_refresh() ? 'yes' : 'no';", ['flagstone.store' => $store]));
});

test('settings that PHP could not read leave the default', function () {
    $store = store(['portal' => true]);
    $count = "feature_enabled('portal'); echo flagstone_status()['counters']['on'];";
    foreach (['maybe' => '1', 'on' => '1', 'none' => '0', '' => '0'] as $setting => $counted) {
        same($counted, php($count, ['flagstone.store' => $store, 'flagstone.telemetry' => $setting]), $setting);
    }
});

test('records that lead out of their section turn their flag off, and nothing is thrown', function () {
    $store = store(['base' => true, 'off' => false, 'child' => ['enabled' => true, 'requires' => ['off']], 'portal' => ['enabled' => true, 'requires' => ['base'], 'rollout' => ['percentage' => 50],
        'companies' => ['allow' => [1, 'x'], 'deny' => [2]], 'rules' => [['name' => 'r', 'when' => ['attribute' => 'plan', 'in' => ['a', 1]]]],
        'variants' => ['v' => ['weight' => 100, 'value' => ['a' => [1]]]]]]);
    $bytes = file_get_contents(snapshot($store));
    $process = new ReflectionClass(Process::class);
    flagstone_use($store);
    foreach ([2 => 128, 4 => 4, 5 => 32, 6 => 32, 8 => 32, 9 => 16, 10 => 64] as $section => $entry) {
        [$offset, $size] = array_values(unpack('P2', $bytes, 64 + $section * 24));
        for ($at = $offset; $at + 4 <= $offset + $size; $at += 4) {
            $damaged = substr_replace($bytes, "\xfe\xff\xff\x7f", $at, 4);
            // Sealed again, as by a compiler that is not sound.
            $damaged = substr_replace($damaged, strrev(hash('xxh3', substr($damaged, $offset, $size), true)), 64 + $section * 24 + 16, 8);
            $damaged = substr_replace($damaged, strrev(hash('xxh3', substr_replace(substr($damaged, 0, 512), str_repeat("\0", 8), 40, 8), true)), 40, 8);
            $file = fopen('php://memory', 'w+b');
            fwrite($file, $damaged);
            rewind($file);
            $process->setStaticPropertyValue('evaluator', new Evaluator(Snapshot::read($file, strlen($damaged)), [], false));
            foreach ([null, 1, 2, 'x', 77] as $company) {
                feature_explain('portal', $company, ['plan' => 'a']);
                feature_value('portal', $company);
                feature_enabled('portal', $company);
            }
            feature_explain('child');
            feature_all(1);
            feature_needs('portal');
            feature_possible('portal');
        }
    }
    flagstone_refresh();
});

test('what a hostile snapshot says is bounded: rules, comparisons, operands, probes and the parts of a value', function () {
    $rule = static fn (int $n): array => ['when' => ['any' => array_map(static fn (int $of): array => ['attribute' => 'plan', 'eq' => "p$n-$of"], [1, 2])]];
    $store = store(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 50], 'rules' => [$rule(1), $rule(2)],
        'companies' => ['allow' => ['x', 'y', 1, 10_000]], 'schedule' => [['at' => '2026-12-01T08:00:00Z', 'percentage' => 50], ['at' => '2027-12-01T08:00:00Z', 'percentage' => 60]],
        'variants' => ['v' => ['weight' => 100, 'value' => [[1, 2], [3, 4], [[5], [6]]]]]]]);
    $good = file_get_contents(snapshot($store));
    $place = static fn (int $section, int $at): int => unpack('P', $good, 64 + $section * 24)[1] + $at;
    $process = new ReflectionClass(Process::class);
    flagstone_use($store);
    // With these numbers, 4 bytes each, at these offsets.
    $with = static function (array $numbers) use ($good, $process): void {
        $bytes = $good;
        foreach ($numbers as $at => $number) {
            $bytes = substr_replace($bytes, pack('V', $number), $at, 4);
        }
        for ($section = 0; $section < 14; ++$section) {
            [$offset, $size] = array_values(unpack('P2', $bytes, 64 + $section * 24));
            $bytes = substr_replace($bytes, strrev(hash('xxh3', substr($bytes, $offset, $size), true)), 64 + $section * 24 + 16, 8);
        }
        $bytes = substr_replace($bytes, strrev(hash('xxh3', substr_replace(substr($bytes, 0, 512), str_repeat("\0", 8), 40, 8), true)), 40, 8);
        $file = fopen('php://memory', 'w+b');
        fwrite($file, $bytes);
        rewind($file);
        $process->setStaticPropertyValue('evaluator', new Evaluator(Snapshot::read($file, strlen($bytes)), [], false));
    };
    $evaluator = static fn (): Evaluator => $process->getStaticPropertyValue('evaluator');
    $problem = static function (callable $ask): string {
        try {
            $ask();
        } catch (Problem $problem) {
            return $problem->getMessage();
        }

        return 'none';
    };
    $with([]);
    same([[1, 2], [3, 4], [[5], [6]]], feature_value('portal', 'x'));
    $flag = $place(2, 0);
    foreach ([[12, 192, "key's length"], [44, 65, "requires' count"], [52, 2, "needs' count"], [60, 1001, "rules' count"]] as [$at, $number, $field]) {
        // The key's length has two bytes, and shape and bits after it.
        $with([$flag + $at => $at === 12 ? $number | unpack('v', $good, $flag + 14)[1] << 16 : $number]);
        same("flags: $field: found $number, ", substr($problem(static fn () => $evaluator()->snapshot->flag(0)), 0, strlen("flags: $field: found $number, ")));
        same(false, feature_enabled('portal', 'x'), $field);
    }
    $with([$place(5, 12) => 10_001]);
    same("flags: rules' tests: found 10001, ", substr($problem(static fn () => $evaluator()->snapshot->rules(0)), 0, 34));
    $with([$place(6, 20) => 1_025]);
    same("tests: operand's length: found 1025, ", substr($problem(static fn () => $evaluator()->snapshot->rules(0)), 0, 37));

    // Lists of which each holds the one before twice: 2^32 parts, in 24 cells.
    $cells = [];
    $count = intdiv(unpack('P2', $good, 64 + 9 * 24)[2], 16);
    for ($cell = 0; $cell < $count; ++$cell) {
        $cells += [$place(9, 16 * $cell) => 5, $place(9, 16 * $cell + 4) => 2, $place(9, 16 * $cell + 8) => 0, $place(9, 16 * $cell + 12) => 0];
    }
    $with($cells);
    same('default', feature_value('portal', 'x', [], 'default'));
    same('cells: found a part in two places', substr($problem(static fn () => $evaluator()->snapshot->value(0)), 0, 33));
    // A list's probe and count of four billion.
    $with([$place(10, 4) => 0xFFFF_FFFF, $place(10, 56) => 0xFFFF_FFFF]);
    same([true, false, false], [feature_enabled('portal', 'y'), feature_explain('portal', 'nobody')['reason'] === 'allowed', feature_explain('portal', 7)['reason'] === 'allowed']);

    $steps = static fn (int $now): ?int => $evaluator()->snapshot->step($evaluator()->snapshot->flag(0), $now * 1_000_000);
    same([null, 50_000, 50_000, 60_000], [$steps(1796111999), $steps(1796112000), $steps(1827647999), $steps(1827648000)]);
    flagstone_refresh();
});

test('comparisons stay unpacked up to a number, not for every flag that was asked', function () {
    $tests = array_map(static fn (int $n): array => ['attribute' => 'plan', 'eq' => "plan-$n"], range(1, 4000));
    $flags = [];
    for ($n = 0; $n < 12; ++$n) {
        $flags["flag_$n"] = ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [['when' => ['any' => $tests]]]];
    }
    $store = store($flags);
    flagstone_use($store);
    $kept = new ReflectionProperty(Snapshot::class, 'keptTests');
    for ($n = 0; $n < 12; ++$n) {
        same(true, feature_enabled("flag_$n", 1, ['plan' => 'plan-4000']));
        $snapshot = (new ReflectionClass(Process::class))->getStaticPropertyValue('evaluator')->snapshot;
        same(true, $kept->getValue($snapshot) <= 20_000, "flag $n");
        same($kept->getValue($snapshot), 4000 * count((new ReflectionProperty(Snapshot::class, 'rules'))->getValue($snapshot)));
    }
});

test('a later minor version with a section more is answered from', function () {
    $store = store(['portal' => ['enabled' => true, 'companies' => ['allow' => ['x']], 'rollout' => ['percentage' => 0]]]);
    $longer = static function (int $minor) use ($store): array {
        $bytes = file_get_contents(snapshot($store));
        $bytes = str_pad($bytes, (strlen($bytes) + 63) & ~63, "\0") . str_repeat('7', 40);
        $bytes = substr_replace($bytes, pack('vVP', $minor, 512, strlen($bytes)), 10, 14);
        $bytes = substr_replace($bytes, pack('PP', strlen($bytes) - 40, 40), 424, 16);
        $bytes = substr_replace($bytes, strrev(hash('xxh3', substr_replace(substr($bytes, 0, 512), str_repeat("\0", 8), 40, 8), true)), 40, 8);
        $file = fopen('php://memory', 'w+b');
        fwrite($file, $bytes);
        rewind($file);

        return [$file, strlen($bytes)];
    };
    (new ReflectionClass(Process::class))->setStaticPropertyValue('evaluator', new Evaluator(Snapshot::read(...$longer(2)), [], false));
    same([true, false], [feature_enabled('portal', 'x'), feature_enabled('portal', 'y')]);
    foreach ([0, 1] as $minor) {
        try {
            Snapshot::read(...$longer($minor));
            same('refused', 'accepted', "bytes that 1.$minor knows nothing of");
        } catch (Problem $problem) {
            same(true, str_contains($problem->getMessage(), 'header[0].file_size'), $problem->getMessage());
        }
    }
    flagstone_refresh();
});

test('a store that everybody can write is refused with what to type', function () {
    $store = store(['portal' => true]);
    chmod($store, 0o777);
    same(false, flagstone_use($store));
    same(true, str_contains(flagstone_status()['last_error'], 'is writable by everybody (mode 0777). Type: chmod o-w '));
    chmod($store, 0o775);
    same(true, flagstone_use($store . '/'));
    same(true, str_contains(flagstone_status()['warning'], 'is writable by a group (mode 0775)'));
});

/** A file of its own, with this in it. */
function definitions(mixed $document): string
{
    static $number = 0;
    $path = getenv('FLAGSTONE_TEST_DIR') . '/definitions-' . ++$number . '.json';
    file_put_contents($path, is_string($document) ? $document : json_encode($document));

    return $path;
}

test('a file of definitions answers without a store, with an environment and an overlay merged into it', function () {
    $file = definitions(['flags' => ['portal' => false, 'other' => true], 'environments' => ['staging' => ['flags' => ['portal' => true]]]]);
    $overlay = definitions(['flags' => ['other' => false]]);
    same([true, false, true], [Process::useFile($file), feature_enabled('portal'), feature_enabled('other')]);
    same([true, true, true], [Process::useFile($file, 'staging'), feature_enabled('portal'), feature_enabled('other')]);
    same([true, true, false], [Process::useFile($file, 'staging', $overlay), feature_enabled('portal'), feature_enabled('other')]);
    same([$file, 'staging', 'current', 2], array_values(array_intersect_key(flagstone_status(), ['store' => 0, 'environment' => 0, 'source' => 0, 'flags' => 0])));
    same([true, true], [Process::useFile($file, null, "$file.none"), feature_enabled('other')]);
    Process::useFile(null);
    flagstone_use($store = store(['portal' => true]));
    same([$store, true], [flagstone_status()['store'], feature_enabled('portal')]);
});

test('a file that changes is read again, be it within one second, by another size, another inode or its overlay', function () {
    $file = definitions(['flags' => ['portal' => false]]);
    Process::useFile($file, null, "$file.local");
    same([false, false], [feature_enabled('portal'), flagstone_refresh()]);
    foreach (['true ' => true, 'false' => false, 'true' => true] as $word => $on) {
        file_put_contents($file, "{\"flags\":{\"portal\":$word}}");
        same([true, $on], [flagstone_refresh(), feature_enabled('portal')], $word);
    }
    file_put_contents("$file.local", '{"flags":{"portal":false}}');
    same([true, false], [flagstone_refresh(), feature_enabled('portal')]);
    unlink("$file.local");
    same([true, true], [flagstone_refresh(), feature_enabled('portal')]);
    // Long settled: nothing is read, and a new inode of the same time and size is noticed.
    touch($file, 1_700_000_000);
    flagstone_refresh();
    same(false, flagstone_refresh());
    file_put_contents("$file.new", '{"flags":{"portaI":true}}');
    touch("$file.new", 1_700_000_000);
    rename("$file.new", $file);
    same([true, false], [flagstone_refresh(), feature_enabled('portal')]);
    Process::useFile(null);
});

test('what a mark holds is answered until its end, be it of a file', function () {
    $file = definitions(['flags' => ['portal' => true]]);
    Process::useFile($file);
    flagstone_request_begin();
    file_put_contents($file, '{"flags":{"portal":false}}');
    flagstone_request_begin();
    flagstone_request_end();
    same(true, feature_enabled('portal'));
    flagstone_request_end();
    flagstone_request_begin();
    same(false, feature_enabled('portal'));
    flagstone_request_end();
    Process::useFile(null);
});

test('a mark that is lost holds nothing, and marks that overlap end by their tokens', function () {
    $file = definitions(['flags' => ['portal' => true]]);
    Process::useFile($file);
    foreach ([true, false, true, false] as $number => $on) {
        file_put_contents($file, json_encode(['flags' => ['portal' => $on]]));
        // The first has no end.
        flagstone_request_begin();
        same($on, feature_enabled('portal'), "request $number");
        if ($number > 0) {
            flagstone_request_end(200);
        }
    }
    $first = flagstone_request_begin();
    $second = flagstone_request_begin();
    flagstone_request_end(200, $first);
    file_put_contents($file, '{"flags":{"portal":true}}');
    $third = flagstone_request_begin();
    same(true, feature_enabled('portal'), 'the second mark holds nothing');
    flagstone_request_end(200, $second);
    file_put_contents($file, '{"flags":{"portal":false}}');
    same(true, feature_enabled('portal'), 'the third one does');
    flagstone_request_end(200, $third);
    Process::useFile(null);
});

test('the generation that is told is the one that answers', function () {
    $file = definitions(['flags' => ['portal' => true]]);
    Process::useFile($file);
    $token = flagstone_request_begin();
    $before = feature_explain('portal', 1)['generation'];
    file_put_contents($file, '{"flags":{"portal":false}}');
    (new ReflectionMethod(Process::class, 'advance'))->invoke(null);
    $explained = feature_explain('portal', 1);
    same([true, $before, $before], [$explained['enabled'], $explained['generation'], flagstone_status()['generation']]);
    flagstone_request_end(200, $token);
    flagstone_refresh();
    same([false, true], [feature_explain('portal', 1)['enabled'], flagstone_status()['generation'] > $before]);
    Process::useFile(null);
});

test('a plan and its owner are no matter of the answer', function () {
    $plan = ['stages' => [['companies' => [42, 'x'], 'soak' => '7d'], ['percentage' => 50, 'soak' => '90m'], ['percentage' => 100]]];
    Process::useFile(definitions(['flags' => ['portal' => ['rollout' => ['percentage' => 0], 'managed' => 'git', 'plan' => $plan]]]));
    same([false, false, 'rollout_out'], [feature_enabled('portal', 42), feature_enabled('portal', 'x'), feature_explain('portal', 42)['reason']]);
    Process::useFile(null);
});

test('what was good last stays when a file breaks, and the status says what is wrong and where', function () {
    $file = definitions(['flags' => ['portal' => true]]);
    Process::useFile($file, 'staging', "$file.local");
    same(true, feature_enabled('portal'));
    foreach ([
        '{"flags": {"portal": true,}}' => ":1:27: /flags: found \"}\", expected a key in double quotes: remove the comma before it",
        "{\n  \"flags\": {\"portal\": True}\n}" => ':2:23: /flags/portal: found "True", expected a value: true, false and null are written in lower case',
        '{"flags": {"portal": true, "portal": false}}' => ':1:28: /flags/portal: found the key "portal" again, expected it once: merge the two, or remove one',
        '{"flags": {"portal": {"rollout": {"percentge": 10}}}}' => ": /flags/portal/rollout/percentge: found the unknown key \"percentge\", expected one of percentage, by, salt, bucketing: did you mean \"percentage\"?\n"
            . "$file: /flags/portal/rollout: found no \"percentage\", expected a number from 0 to 100 with up to three decimals",
        '{"flags": {"portal": {"companies": {"allow": [1, 2, 3]}}}}' => ': /flags/portal: portal allows 3 companies but does not say what the others get: add "rollout": {"percentage": 0} for a pilot, or 100',
        '{"flags": {"portal": {"plan": {"stages": [{"percentage": 10}]}}}}' => ': /flags/portal: portal has a plan but does not say what holds before it: add "rollout": {"percentage": 0} for a pilot, or 100',
        '{"flags": {"portal": {"rollout": {"percentage": 0}, "plan": {"stages": [{"percentage": 10}, {"percentage": 5}]}}}}' =>
            ': /flags/portal/plan/stages/1/percentage: found 5 after 10: a stage has to raise the percentage',
        '{"flags": {"portal": {"rollout": {"percentage": 0}, "plan": {"stages": [{"percentage": 10, "soak": "week"}]}}}}' =>
            ': /flags/portal/plan/stages/0/soak: found "week", expected a length of time such as "12h" or "7d": a number and s, m, h, d or w',
        '{"flags": {"portal": {"rollout": {"percentage": 0}, "plan": {"stages": [{"companies": []}]}}}}' =>
            ': /flags/portal/plan/stages/0/companies: found an empty list, expected companies to let in, one or more',
        '{"flags": {"portal": {"requires": ["portl"]}}}' => ': /flags/portal/requires/0: unknown flag "portl": did you mean "portal"?',
        '{"flags": {"portal": false}, "environments": {"staging": {"flags": {"portal": {"rollout": {"percentage": 5}}}}}}' =>
            ': /environments/staging/flags/portal: portal is false in the document, and the patch does not say "enabled": add "enabled": true or false',
        json_encode(['flags' => ['portal' => ['rollout' => ['percentage' => 0], 'rules' => array_fill(0, 1001, ['when' => ['attribute' => 'a', 'exists' => true]])]]]) =>
            ': /flags/portal/rules: found 1001 rules, expected at most 1000',
    ] as $text => $expected) {
        file_put_contents($file, $text);
        same([false, true], [flagstone_refresh(), feature_enabled('portal')], $text);
        $status = flagstone_status();
        same(["$file$expected", 'last_good'], [$status['last_error'], $status['source']], $text);
    }
    file_put_contents($file, '{"flags": {"portal": true}}');
    file_put_contents("$file.local", '{"flags": {"portal": {"enabled": "no"}}}');
    flagstone_refresh();
    same("$file.local: /flags/portal/enabled: found \"no\", expected true or false", flagstone_status()['last_error'], 'the overlay');
    unlink($file);
    flagstone_refresh();
    same([true, "cannot read the definitions $file: it is not there; write {\"flags\": {}} into it to begin with"], [feature_enabled('portal'), flagstone_status()['last_error']]);
    file_put_contents($file, '{"flags": {"portal": false}}');
    unlink("$file.local");
    same([true, false, null], [flagstone_refresh(), feature_enabled('portal'), flagstone_status()['last_error']]);
    Process::useFile(null);
});

test('a file that is half written when a process opens it is waited for', function () {
    $file = definitions('{"flags": {"por');
    $whole = definitions(['flags' => ['portal' => true]]);
    exec('(sleep 0.03; mv ' . escapeshellarg($whole) . ' ' . escapeshellarg($file) . ') >/dev/null 2>&1 &');
    same([true, true], [Process::useFile($file), feature_enabled('portal')]);
    // One that has been broken for long is not.
    $file = definitions('{"flags": {"por');
    touch($file, 1_700_000_000);
    $began = hrtime(true);
    same([false, true], [Process::useFile($file), hrtime(true) - $began < 15_000_000]);
    Process::useFile(null);
});

test('each request to a server answers from the file as it is then', function () {
    $file = definitions(['flags' => ['portal' => true]]);
    $script = "$file.php";
    file_put_contents($script, '<?php require ' . var_export(ROOT . '/polyfill/bootstrap.php', true) . ';
        Flagstone\Polyfill\Process::useFile(' . var_export($file, true) . ');
        echo feature_enabled("portal") ? "on" : "off";');
    $server = proc_open([PHP_BINARY, '-n', '-S', '127.0.0.1:0', $script], [1 => ['file', '/dev/null', 'w'], 2 => ['pipe', 'w']], $pipes);
    $line = (string) fgets($pipes[2]);
    same(1, preg_match('~http://127.0.0.1:(\d+)~', $line, $found), $line);
    try {
        same('on', file_get_contents("http://127.0.0.1:$found[1]/"));
        file_put_contents($file, '{"flags": {"portal": false}}');
        same('off', file_get_contents("http://127.0.0.1:$found[1]/"));
    } finally {
        proc_terminate($server);
        proc_close($server);
    }
});

test('a file is named for one request of a worker that serves many', function () {
    $file = definitions(['flags' => ['portal' => true]]);
    $process = new ReflectionClass(Process::class);
    Process::useFile($file);
    same(true, feature_enabled('portal'));
    $process->setStaticPropertyValue('livesLong', false);
    $_SERVER['REQUEST_TIME_FLOAT'] += 1;
    same(false, feature_enabled('portal'));
    $process->setStaticPropertyValue('livesLong', true);
});

test('nothing of a broken store reaches the output or an error handler', function () {
    $handler = 'set_error_handler(function ($s, $m) { echo "handler: $m"; return true; }, E_ALL);';
    same('off', php("$handler flagstone_use('/nonexistent/store'); echo feature_enabled('x', 1) ? 'on' : 'off';"));
    $store = store(['portal' => true]);
    file_put_contents("$store/head", 'short');
    same('off', php("$handler flagstone_use('$store'); echo feature_enabled('portal', 1) ? 'on' : 'off';"));
});

test('overrides answer for this process and can be refused', function () {
    flagstone_override(['new' => [7 => 'blue'], 'old' => false]);
    same([true, 'blue', false, false], [feature_enabled('new', '7'), feature_variant('new', 7), feature_enabled('new', 8), feature_enabled('old')]);
    same('override', feature_explain('old')['reason']);
    flagstone_override(null, true);
    same(true, feature_enabled('anything'));
    flagstone_override(null);
    same(false, feature_enabled('anything'));
    $refused = php('try { flagstone_override([]); } catch (Error $error) { echo $error->getMessage(); }', ['flagstone.allow_override' => '0']);
    same('flagstone_override() is refused: flagstone.allow_override is off in this process', $refused);
});

test('a function that disable_functions names costs at most the answers', function () {
    $store = store(['portal' => true]);
    $ask = "flagstone_use('$store'); echo feature_enabled('portal', 1) ? 'on' : 'off', ' ', flagstone_status()['last_error'] ?? 'none';";
    // What hosters and hardening guides name.
    $usual = 'exec,passthru,shell_exec,system,proc_open,proc_close,popen,pcntl_fork,pcntl_exec,posix_geteuid,posix_getpwuid,getmypid,getmyuid,get_current_user,'
        . 'php_uname,phpversion,phpinfo,getenv,putenv,ini_get,ini_get_all,ini_set,ini_restore,get_cfg_var,set_time_limit,symlink,link,readlink,chmod,chown,fileowner,'
        . 'disk_free_space,memory_get_usage,usleep,sleep,error_log,dl,highlight_file,show_source,parse_ini_file,get_loaded_extensions,gethostname';
    same('on none', php($ask, ['disable_functions' => $usual]));
    $based = ['memory_limit' => '64M', 'open_basedir' => dirname($store) . ':' . realpath(ROOT)];
    same('on none', php($ask, ['disable_functions' => str_replace('ini_get,', '', $usual)] + $based));
    // Nobody tells what open_basedir hides.
    $found = php($ask, ['disable_functions' => $usual] + $based);
    same(true, str_starts_with($found, 'off ') && str_contains($found, 'or open_basedir forbids it'), $found);
    foreach (['hash', 'fopen', 'lstat', 'fstat', 'unpack', 'clearstatcache'] as $function) {
        $found = php($ask, ['disable_functions' => $function]);
        same(true, str_starts_with($found, 'off ') && str_contains($found, "without $function(), which disable_functions"), "$function: $found");
    }
    symlink($store, "$store-link");
    $found = php(str_replace("$store'", "$store-link'", $ask), ['disable_functions' => 'readlink']);
    same(true, str_starts_with($found, 'off ') && str_contains($found, 'disable_functions in php.ini names readlink'), $found);
});

test('a link that is switched is followed, and judged each time', function () {
    [$one, $two] = [store(['portal' => true]), store(['portal' => false])];
    $staging = getenv('FLAGSTONE_TEST_DIR') . '/staging';
    command('--store', $staging, 'init', '--environment', 'staging');
    publish($staging, ['portal' => false]);
    $directory = getenv('FLAGSTONE_TEST_DIR') . '/links';
    mkdir($directory);
    chmod($directory, 0755);
    $lead = function (string $target) use ($directory): array {
        @unlink("$directory/new");
        symlink($target, "$directory/new");
        rename("$directory/new", "$directory/current");
        usleep(1_100_000);
        flagstone_use("$directory/current");
        flagstone_refresh();

        return [feature_enabled('portal', 1), flagstone_status()['store'], (string) flagstone_status()['last_error']];
    };
    same([true, realpath($one), ''], $lead($one));
    same([false, realpath($two), ''], $lead($two));
    [, $store, $error] = $lead($staging);
    same(realpath($two), $store);
    same(true, str_contains($error, 'a store for "staging", expected "production"'), $error);
    same([true, realpath($one), ''], $lead($one));
    chmod($two, 0777);
    [$on, $store, $error] = $lead($two);
    same([true, realpath($one)], [$on, $store]);
    same(true, str_contains($error, 'is writable by everybody'), $error);
    chmod($two, 0755);
});

test('a pipe in the place of a file is not waited for', function () {
    $store = store(['portal' => true]);
    foreach (['head', 'snapshots/' . basename(glob("$store/snapshots/*")[0])] as $file) {
        rename("$store/$file", "$store/away");
        exec('mkfifo ' . escapeshellarg("$store/$file"));
        $began = microtime(true);
        same('off', php("flagstone_use('$store'); echo feature_enabled('portal', 1) ? 'on' : 'off';"));
        same(true, microtime(true) - $began < 5, $file);
        unlink("$store/$file");
        rename("$store/away", "$store/$file");
    }
    // Between a look and the opening, too.
    exec('mkfifo ' . escapeshellarg("$store/pipe"));
    link("$store/head", "$store/file");
    $swap = proc_open([PHP_BINARY, '-n', '-r', 'chdir($argv[1]); for (;;) { foreach (["pipe", "file"] as $name) { link($name, "new"); rename("new", "head"); @unlink("new"); } }', '--', $store],
        [1 => ['file', '/dev/null', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
    $ask = 'foreach (range(1, 40000) as $n) { try { fclose(Flagstone\\Polyfill\\Head::open("' . $store . '/head", "open")[0]); echo "o"; } catch (Flagstone\\Polyfill\\Problem) { echo "r"; } }';
    exec('timeout 20 ' . escapeshellarg(PHP_BINARY) . ' -n -r ' . escapeshellarg('require ' . var_export(ROOT . '/polyfill/bootstrap.php', true) . "; $ask"), $output, $code);
    proc_terminate($swap, 9);
    proc_close($swap);
    same([0, 40000], [$code, strlen($output[0] ?? '')], 'a worker waited for a pipe');
    same(true, str_contains($output[0], 'o') && str_contains($output[0], 'r'), 'both were met');
});

$failed = 0;
foreach ($tests as $name => $body) {
    try {
        $body();
    } catch (Throwable $error) {
        ++$failed;
        echo "FAILED $name\n  {$error->getMessage()}\n  {$error->getFile()}:{$error->getLine()}\n";
    }
}
echo 'test result: ', count($tests) - $failed, " passed, $failed failed\n";

// What it costs, for the record: it fails nothing.
$store = store(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 50]]]);
flagstone_use($store);
$began = hrtime(true);
for ($company = 0; $company < 100_000; ++$company) {
    feature_enabled('portal', $company);
}
printf("feature_enabled() of a rollout: %.2f µs\n", (hrtime(true) - $began) / 1e8);
exit($failed === 0 ? 0 : 1);
