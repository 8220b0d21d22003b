<?php

/*
 * Asks workers of php-fpm over FastCGI, as a web server would that serves several applications; among them the example without a framework.
 */

declare(strict_types=1);

$dir = (string) getenv('FLAGSTONE_TEST_DIR');
$failures = 0;
$checks = 0;

function same(string $what, mixed $expected, mixed $actual): void
{
    global $failures, $checks;
    ++$checks;
    if ($expected !== $actual) {
        ++$failures;
        echo "$what\n  expected ", var_export($expected, true), "\n  found    ", var_export($actual, true), "\n";
    }
}

/** Runs the command; a failure ends the test. */
function flagstone(string ...$arguments): string
{
    exec(implode(' ', array_map('escapeshellarg', [getenv('FLAGSTONE_BIN'), ...$arguments])) . ' 2>&1', $output, $status);
    if ($status !== 0) {
        echo implode("\n", $output), "\n";
        exit(1);
    }

    return implode("\n", $output);
}

/** A store in which the flag `x` is on, or off. */
function store(string $environment, bool $on): string
{
    global $dir;
    $store = "$dir/$environment";
    flagstone('init', $store, '--environment', $environment);
    file_put_contents("$store.json", json_encode(['flags' => ['x' => $on]]));
    flagstone('publish', "$store.json", '--store', $store);

    return $store;
}

/**
 * @param array<string, string> $parameters
 * @return array{string, string} the header and the body
 */
function response(string $socket, string $script, array $parameters = []): array
{
    $record = static fn (int $type, string $content): string => pack('CCnnCx', 1, $type, 1, strlen($content), 0) . $content;
    $pairs = '';
    foreach ($parameters + ['SCRIPT_FILENAME' => $script, 'REQUEST_METHOD' => 'GET', 'SCRIPT_NAME' => '/' . basename($script)] as $name => $value) {
        $pairs .= pack('NN', strlen($name) | 1 << 31, strlen($value) | 1 << 31) . $name . $value;
    }
    $connection = stream_socket_client("unix://$socket", $code, $error, 10);
    if ($connection === false) {
        echo "$socket: $error\n";
        exit(1);
    }
    fwrite($connection, $record(1, pack('nCx5', 1, 0)) . $record(4, $pairs) . $record(4, '') . $record(5, ''));
    $output = '';
    while (strlen($header = (string) fread($connection, 8)) === 8) {
        ['type' => $type, 'length' => $length, 'padding' => $padding] = unpack('Cversion/Ctype/nid/nlength/Cpadding', $header);
        $content = $length + $padding > 0 ? (string) stream_get_contents($connection, $length + $padding) : '';
        if ($type === 3) {
            break;
        }
        $output .= $type === 6 ? substr($content, 0, $length) : '';
    }

    return explode("\r\n\r\n", $output, 2) + [1 => $output];
}

/** @param array<string, string> $parameters */
function ask(string $socket, string $script, array $parameters = []): mixed
{
    $body = response($socket, $script, $parameters)[1];

    return json_decode($body, true) ?? $body;
}

/**
 * Starts php-fpm, one worker a pool; returns the pools' sockets.
 *
 * @param array<string, list<string>> $pools lines of their configuration
 * @return array<string, string>
 */
function fpm(array $pools, string ...$options): array
{
    global $dir;
    stop();
    $identity = fileowner('/proc/self') === 0 ? ['user = www-data', 'group = www-data'] : [];
    $lines = ['[global]', "pid = $dir/fpm.pid", "error_log = $dir/fpm.log", 'daemonize = yes'];
    $sockets = [];
    foreach ($pools as $name => $settings) {
        $sockets[$name] = "$dir/$name.sock";
        touch("$dir/$name.log");
        chmod("$dir/$name.log", 0666);
        array_push($lines, "[$name]", ...$identity, ...["listen = $dir/$name.sock", 'listen.mode = 0666', 'pm = static', 'pm.max_children = 1',
            "php_admin_value[error_log] = $dir/$name.log", 'php_admin_flag[log_errors] = on'], ...$settings);
    }
    file_put_contents("$dir/fpm.conf", implode("\n", $lines) . "\n");
    exec(implode(' ', array_map('escapeshellarg', ['php-fpm8.2', '-y', "$dir/fpm.conf", '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), ...$options])) . ' 2>&1', $output, $code);
    if ($code !== 0) {
        echo implode("\n", $output), "\n";
        exit(1);
    }

    return $sockets;
}

function stop(): void
{
    global $dir;
    $master = (int) @file_get_contents("$dir/fpm.pid");
    if ($master > 0) {
        exec("kill $master");
        while (file_exists("$dir/fpm.pid")) {
            usleep(20_000);
            clearstatcache();
        }
    }
}
register_shutdown_function('stop');

[$staging, $production] = [store('staging', true), store('production', false)];
$logged = static fn (string $pool, string $text): int => substr_count((string) file_get_contents("$dir/$pool.log"), $text);

/*
 * Pools share opcache, which puts the values of directives into the code that it compiles: the first pool's.
 */
file_put_contents("$dir/drivers.php", '<?php
require ' . var_export(realpath(__DIR__ . '/../../laravel/tests/bootstrap.php'), true) . ';
$store = $_SERVER["APPLICATION_STORE"] ?? null;
$application = new Illuminate\Foundation\Application(__DIR__);
$application["env"] = "production";
$drivers = new Flagstone\Laravel\Drivers\Drivers($application, ["store" => $store]);
$drivers->nameStore();
$status = flagstone_status();
echo json_encode([$drivers->chosen(), feature_enabled("x", 1), $status["environment"], $status["last_error"]]);');
copy(__DIR__ . '/../../examples/doctor.php', "$dir/doctor.php");
// Laravel needs extensions that Debian's directory loads, opcache among them.
$opcache = ['-d', 'opcache.enable=1', '-d', 'opcache.file_update_protection=0', '-d', 'include_path=.:/usr/share/php'];
foreach (['first' => ['a', 'b'], 'last' => ['b', 'a']] as $when => $order) {
    $sockets = fpm(['a' => ["php_admin_value[flagstone.store] = $staging"], 'b' => []], ...$opcache);
    for ($round = 0; $round < 3; ++$round) {
        foreach ($order as $pool) {
            $expected = ['a' => ['native', true, 'staging', null], 'b' => ['native', false, 'production', null]][$pool];
            same("pool $pool, the pool with a store $when", $expected, ask($sockets[$pool], "$dir/drivers.php", $pool === 'b' ? ['APPLICATION_STORE' => $production] : []));
        }
    }
    foreach ($order as $pool) {
        preg_match('/flagstone-doctor: (.*)/', (string) ask($sockets[$pool], "$dir/doctor.php", ['FLAGSTONE_DOCTOR_STORE' => $production]), $found);
        $answer = json_decode($found[1] ?? '', true);
        same("doctor's script in pool $pool, $when", $pool === 'a' ? [$staging, $staging] : ['', $production], [$answer['named'], $answer['status']['store']]);
    }
}

/*
 * A web server sends settings with a request. FPM keeps them for the worker's life.
 */
file_put_contents("$dir/asks.php", '<?php
if (isset($_SERVER["APPLICATION_STORE"])) { flagstone_use($_SERVER["APPLICATION_STORE"]); }
$on = feature_enabled("x", 1);
try { flagstone_override(["x" => true]); $override = true; } catch (Error) { $override = false; }
flagstone_override_ended();
function flagstone_override_ended() { try { flagstone_override(null); } catch (Error) {} }
$status = flagstone_status();
echo json_encode([$on, $status["environment"], $override, ini_get_all("flagstone", false)["flagstone.store"]]);');
$socket = fpm(['shared' => []], '-n')['shared'];
$own = static fn (array $parameters = []): mixed => ask($socket, "$dir/asks.php", ['APPLICATION_STORE' => $production] + $parameters);
$warning = 'PHP_VALUE or PHP_ADMIN_VALUE';
same('an application names its store', [false, 'production', false, ''], $own());
same('nothing was sent', 0, $logged('shared', $warning));
for ($round = 0; $round < 3; ++$round) {
    foreach (['PHP_ADMIN_VALUE', 'PHP_VALUE'] as $kind) {
        same("a store by $kind", [true, 'staging', false, $staging], ask($socket, "$dir/asks.php", [$kind => "flagstone.store=$staging"]));
        same("the next request, after $kind", [false, 'production', false, ''], $own());
        same("overrides by $kind", [false, 'production', true, ''], $own([$kind => 'flagstone.allow_override=1']));
        same("overrides after $kind", [false, 'production', false, ''], $own());
    }
}
same('two at once, one of them twice', [true, 'staging', true, $staging],
    ask($socket, "$dir/asks.php", ['PHP_ADMIN_VALUE' => "flagstone.store=$production\nflagstone.store=$staging\nflagstone.allow_override=1"]));
same('and none is left', [false, 'production', false, ''], $own());
same('a value that is refused', [false, 'production', false, ''], $own(['PHP_ADMIN_VALUE' => 'flagstone.map=nonsense']));
same('a value that is refused again', [false, 'production', false, ''], $own(['PHP_ADMIN_VALUE' => 'flagstone.map=nonsense']));
same('it is logged once', [1, 1], [$logged('shared', $warning), $logged('shared', 'flagstone.map is "nonsense", expected auto, private or shared; it is ignored')]);

exec(escapeshellarg((string) getenv('FLAGSTONE_BIN')) . ' doctor --json --store ' . escapeshellarg($production) . ' --fpm ' . escapeshellarg($socket) . ' 2>&1', $output);
$found = array_column(json_decode(implode("\n", $output), true)['checks'], null, 'check')['fpm-workers'];
same('doctor says it', ['warned', true, true], [$found['state'], str_contains($found['found'], $warning), str_contains((string) $found['mend'], 'php_admin_value[flagstone.store]')]);

/*
 * A section of php.ini for a directory holds for requests to it, and is none of these.
 */
mkdir("$dir/site");
copy("$dir/asks.php", "$dir/site/asks.php");
file_put_contents("$dir/php.ini", "[PATH=$dir/site]\nflagstone.store = $staging\n");
$socket = fpm(['sections' => []], '-c', "$dir/php.ini")['sections'];
for ($round = 0; $round < 3; ++$round) {
    same('in the directory', [true, 'staging', false, $staging], ask($socket, "$dir/site/asks.php"));
    same('beside it', [false, 'production', false, ''], ask($socket, "$dir/asks.php", ['APPLICATION_STORE' => $production]));
}
same('nothing was sent by a web server', 0, $logged('sections', $warning));

/*
 * Values that are not understood, in php.ini, of a pool, and of a directory.
 */
file_put_contents("$dir/php.ini", "flagstone.refresh = abc\n[PATH=$dir/site]\nflagstone.telemetry = tmp\n");
file_put_contents("$dir/warning.php", '<?php feature_enabled("x"); echo json_encode(flagstone_status()["warning"]);');
copy("$dir/warning.php", "$dir/site/warning.php");
$refusal = static fn (string $setting, string $value, string $expected): string => "flagstone.$setting is \"$value\", expected $expected; it is ignored";
[$refresh, $map, $telemetry] = [$refusal('refresh', 'abc', 'seconds from 0 to 86400'), $refusal('map', 'sideways', 'auto, private or shared'), $refusal('telemetry', 'tmp', "On, Off, or a directory's absolute path")];
$sockets = fpm([
    'misspelt' => ["php_admin_value[flagstone.store] = $production", 'php_admin_value[flagstone.map] = sideways'],
    'mended' => ["php_admin_value[flagstone.store] = $production", 'php_admin_value[flagstone.refresh] = 2'],
], '-c', "$dir/php.ini");
for ($round = 0; $round < 3; ++$round) {
    same('of php.ini and the pool', "$refresh; $map", ask($sockets['misspelt'], "$dir/warning.php"));
    same('of the directory, too', "$refresh; $map; $telemetry", ask($sockets['misspelt'], "$dir/site/warning.php"));
    same('a pool mends php.ini', 'null', ask($sockets['mended'], "$dir/warning.php"));
}
same('each is logged once', [1, 1, 1], array_map(static fn (string $line): int => $logged('misspelt', $line), [$refresh, $map, $telemetry]));
$output = [];
exec(escapeshellarg((string) getenv('FLAGSTONE_BIN')) . ' doctor --json --store ' . escapeshellarg($production) . ' --fpm ' . escapeshellarg($sockets['misspelt']) . ' 2>&1', $output);
$found = array_column(json_decode(implode("\n", $output), true)['checks'], null, 'check')['fpm-answers'];
same('doctor says it', ['warned', true], [$found['state'], str_contains($found['found'], "$refresh; $map")]);

/*
 * The example without a framework: a path whose flag is off is answered as one that does not exist.
 */
flagstone('publish', __DIR__ . '/../../examples/flags.json', '--yes', '--store', $production);
mkdir("$dir/sessions");
foreach (['pilot' => 'i:15;', 'refuser' => 's:7:"acme-eu";'] as $visitor => $company) {
    file_put_contents("$dir/sessions/sess_$visitor", "company|$company");
    // PHP reads the sessions of its own user alone.
    fileowner('/proc/self') !== 0 || chown("$dir/sessions/sess_$visitor", 'www-data');
}
$socket = fpm(['plain' => ["php_admin_value[flagstone.store] = $production", "php_admin_value[session.save_path] = $dir/sessions"]], '-n')['plain'];
copy(__DIR__ . '/../../examples/plain/index.php', "$dir/index.php");
$visit = static fn (string $visitor, string $path): array => response($socket, "$dir/index.php", ['REQUEST_URI' => $path, 'HTTP_COOKIE' => "PHPSESSID=$visitor"]);
$isFound = static fn (array $response): bool => !str_contains($response[0], 'Status: 404');
same('a company of the allow list', [true, "Your portal\n"], [$isFound($visit('pilot', '/portal?tab=2')), $visit('pilot', '/portal')[1]]);
same('a page without a flag', [true, "Home\n"], [$isFound($visit('refuser', '/')), $visit('refuser', '/')[1]]);
same('a path that does not exist', false, $isFound($visit('refuser', '/nowhere')));
same('a company of the deny list', $visit('refuser', '/nowhere'), $visit('refuser', '/portal'));
flagstone('kill', 'customer_portal', '--reason', 'slow', '--store', $production);
same('after a kill', $visit('pilot', '/nowhere'), $visit('pilot', '/portal'));

echo $failures === 0 ? "pools: $checks checks passed\n" : "pools: $failures of $checks checks failed\n";
exit($failures === 0 ? 0 : 1);
