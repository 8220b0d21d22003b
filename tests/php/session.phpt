--TEST--
a session that is written after the script's end asks as the request did
--FILE--
<?php
require __DIR__ . '/support.inc';

$store = store(['a' => true]);
$script = "$store.php";
file_put_contents($script, '<?php
class Handler implements SessionHandlerInterface {
    function open($path, $name): bool { return true; }
    function close(): bool { return true; }
    function read($id): string { return ""; }
    function write($id, $data): bool { fwrite(STDERR, +feature_enabled("a") . flagstone_status()["generation"]); return true; }
    function destroy($id): bool { return true; }
    function gc($lifetime): int { return 0; }
}
session_set_save_handler(new Handler, false);
flagstone_use($argv[1]);
session_start(["use_cookies" => 0, "cache_limiter" => ""]);
$_SESSION["x"] = 1;
fwrite(STDERR, +feature_enabled("a"));
');
same('asked while modules shut down', '111', php('', [], $script, $store));
echo "done\n";
--EXPECT--
done
