<?php

declare(strict_types=1);

// What `flagstone doctor` asks a PHP: whether the extension is there, and what it answers from. Where php.ini names no store,
// it asks as an application would that names this one. --fpm-script names a copy that the pool can read.
$store = (string) ($_SERVER['FLAGSTONE_DOCTOR_STORE'] ?? $argv[1] ?? '');
// Not ini_get() and extension_loaded(): opcache keeps what they said to the pool that came first.
$loaded = in_array('flagstone', get_loaded_extensions(), true);
$named = $loaded ? (string) (ini_get_all('flagstone', false)['flagstone.store'] ?? '') : '';
// Not function_exists(), for the same reason. What disable_functions names is missing here.
$functions = array_values(preg_grep('/^(feature|flagstone)_/', get_defined_functions()['internal']));
if ($named === '' && $store !== '' && in_array('flagstone_use', $functions, true)) {
    flagstone_use($store);
}
$status = in_array('flagstone_status', $functions, true) ? flagstone_status() : null;
// A pool with a chroot, or in a container, has another path to the same directory.
$directory = isset($status['store']) && function_exists('stat') ? @stat($status['store']) : false;
// So that requests at the same time meet several workers.
usleep((int) ($_SERVER['FLAGSTONE_DOCTOR_PAUSE'] ?? 0));
echo "\nflagstone-doctor: ", json_encode([
    'php' => PHP_VERSION,
    'sapi' => PHP_SAPI,
    'pid' => getmypid(),
    'named' => $named,
    'status' => $status,
    'functions' => $loaded ? $functions : null,
    'directory' => $directory === false ? null : [$directory['dev'], $directory['ino']],
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR), "\n";
