--TEST--
a store that is missing, untrusted or damaged costs no more than its answers
--FILE--
<?php
require __DIR__ . '/support.inc';

$asked = 'echo +feature_enabled("a"), " ", feature_explain("a")["reason"], " ", flagstone_status()["source"], " ", (string) flagstone_status()["last_error"];';
$quiet = ['error_log' => '/dev/null'];
same('no store', true, str_starts_with(php($asked, $quiet), '0 no_snapshot none no store'));
$found = php($asked, ['flagstone.store' => '/nonexistent/store'] + $quiet);
same("missing: $found", true, str_starts_with($found, '0 no_snapshot none cannot open the store /nonexistent/store'));
same("not to be made anew at once: $found", true, str_contains($found, 'check flagstone.store; if there was a store, put it back first: mount its disk'));

$store = store(['a' => true]);
chmod($store, 0777);
$found = php($asked, ['flagstone.store' => $store] + $quiet);
same("world-writable: $found", true, str_starts_with($found, '0 no_snapshot none ') && str_contains($found, 'chmod'));
chmod($store, 0755);
same('trusted again', '1 full current', php($asked, ['flagstone.store' => $store] + $quiet));

ini_set('error_log', '/dev/null');
flagstone_use($store);
same('before', true, feature_enabled('a'));
publish($store, ['a' => false]);
$current = glob("$store/snapshots/*2-*.snapshot")[0];
chmod($current, 0644);
$bytes = file_get_contents($current);
$bytes[600] = chr(ord($bytes[600]) ^ 1);
unlink($current);
file_put_contents($current, $bytes);
flagstone_refresh();
$status = flagstone_status();
same('last known good wins', [true, 1, 2, 'last_good', true],
    [feature_enabled('a'), $status['generation'], $status['head_generation'], $status['source'], str_contains($status['last_error'], 'checksum')]);
$found = php($asked, ['flagstone.store' => $store] + $quiet);
same("a new process takes the one before: $found", true, str_starts_with($found, '1 full previous '));
same('it is logged once', 1, substr_count(php('for ($i = 0; $i < 5; $i++) { feature_enabled("a"); flagstone_refresh(); }',
    ['flagstone.store' => $store, 'log_errors' => 1, 'error_log' => '/dev/stderr']), 'flagstone:'));
echo "done\n";
--EXPECT--
done
