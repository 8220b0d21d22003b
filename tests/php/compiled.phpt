--TEST--
what opcache keeps in files of code compiled with the extension ends no PHP without it
--FILE--
<?php
require __DIR__ . '/support.inc';

// PHP ran the compiled call of an internal function that it did not have, and ended with a segmentation fault.
$store = store(['a' => true]);
$code = "$store.php";
file_put_contents($code, '<?php if (!extension_loaded("flagstone")) { function feature_enabled($flag) { return "not loaded"; } }
    echo feature_enabled("a") === "not loaded" ? "without" : "with";');
mkdir("$store.cache");
$settings = ['zend_extension' => 'opcache', 'opcache.enable_cli' => 1, 'opcache.file_cache' => "$store.cache", 'opcache.file_update_protection' => 0];
same('compiled with', 'with', php('', $settings, $code));
same('kept', 1, count(glob("$store.cache/*")));
$without = [PHP_BINARY, '-n'];
foreach ($settings as $name => $value) {
    array_push($without, '-d', "$name=$value");
}
exec(implode(' ', array_map('escapeshellarg', [...$without, $code])) . ' 2>&1', $output, $status);
same('run without', ['without', 0], [implode("\n", $output), $status]);
same('kept apart', 2, count(glob("$store.cache/*")));
same('run with', 'with', php('', $settings, $code));
echo "done\n";
--EXPECT--
done
