--TEST--
a request counts as what its client saw, and nothing of one request leaks into the next
--FILE--
<?php
require __DIR__ . '/support.inc';

$pages = [
    'fine' => 'echo "ok";',
    'throws' => 'throw new Exception("nobody catches it");',
    'undefined' => 'no_such_function();',
    'memory' => 'ini_set("memory_limit", "8M"); $all = []; while (true) { $all[] = str_repeat("x", 100000); }',
    'time' => 'set_time_limit(1); while (true) {}',
    'hidden' => 'register_shutdown_function(fn () => trigger_error("later", E_USER_WARNING)); throw new Exception("first");',
    'user_error' => 'trigger_error("unhandled", E_USER_ERROR);',
    'status' => 'http_response_code(503);',
    'handled' => 'set_error_handler(fn () => true); trigger_error("handled", E_USER_ERROR); echo "ok";',
    'caught' => 'try { throw new Error("x"); } catch (Error) {} echo $undefined; echo "ok";',
    'exits' => 'echo "ok"; exit(1);',
    'missing' => 'http_response_code(404);',
];
$failing = ['throws', 'undefined', 'memory', 'time', 'hidden', 'user_error', 'status'];

$store = store(array_fill_keys(array_keys($pages), true));
$memory = getenv('FLAGSTONE_TEST_DIR') . '/memory-' . uniqid();
mkdir($memory);
$code = '';
foreach ($pages as $name => $body) {
    $code .= "case '$name': $body break;\n";
}
file_put_contents("$store.php", "<?php ini_set('display_errors', '0'); \$page = \$_GET['page'] ?? 'none'; if (\$page !== 'none') { feature_enabled(\$_GET['flag'] ?? \$page, 1); } switch (\$page) {\n$code}");

$socket = stream_socket_server('tcp://127.0.0.1:0');
$name = stream_socket_get_name($socket, false);
fclose($socket);
$server = proc_open([PHP_BINARY, '-n', '-d', 'extension=' . getenv('FLAGSTONE_EXTENSION'), '-d', "flagstone.store=$store", '-d', "flagstone.telemetry=$memory", '-S', $name, "$store.php"],
    [1 => ['file', '/dev/null', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
$get = fn (string $query = '') => @file_get_contents("http://$name/?$query", false, stream_context_create(['http' => ['ignore_errors' => true]]));
for ($try = 0; $try < 200 && $get() === false; $try++) { usleep(20000); }

// One process answers all of them, and a good request follows each.
foreach (array_keys($pages) as $page) {
    $get("page=$page");
    $get('page=fine');
}
$stats = json_decode(flagstone('stats', '--json', '--memory', $memory, '--store', $store), true);
foreach ($stats['flags'] as $flag) {
    $on = $flag['cohorts']['on'];
    $errors = in_array($flag['flag'], $failing, true) ? 1 : 0;
    same($flag['flag'], [$flag['flag'] === 'fine' ? count($pages) + 1 : 1, $errors], [$on['requests'], $on['errors']]);
}
proc_terminate($server);

// Without a client the exit status tells.
$settings = ['flagstone.store' => $store, 'flagstone.telemetry' => $memory, 'display_errors' => '0'];
$count = function () use ($memory, $store) {
    $on = json_decode(flagstone('stats', 'caught', '--json', '--memory', $memory, '--store', $store), true)['flags'][0]['cohorts']['on'];

    return [$on['requests'], $on['errors']];
};
php('feature_enabled("caught", 1); exit(0);', $settings);
same('exit(0)', [2, 0], $count());
php('feature_enabled("caught", 1); exit("text");', $settings);
same('exit with a text', [3, 0], $count());
php('feature_enabled("caught", 1); exit(1);', $settings);
same('exit(1)', [4, 1], $count());
php('feature_enabled("caught", 1); set_exception_handler(fn () => exit(3)); throw new Exception("x");', $settings);
same('an exception handler that exits with 3', [5, 2], $count());
php('register_shutdown_function(fn () => trigger_error("later", E_USER_WARNING)); feature_enabled("caught", 1); throw new Exception("x");', $settings);
same('a warning after a fatal error', [6, 3], $count());
echo "done\n";
--EXPECT--
done
