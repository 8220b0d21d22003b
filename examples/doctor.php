<?php

declare(strict_types=1);

// What `flagstone doctor` asks a PHP: whether the extension is there, and what it answers from. Where php.ini names no store,
// it asks as an application would that names this one. --fpm-script names a copy that the pool can read.
$store = (string) ($_SERVER['FLAGSTONE_DOCTOR_STORE'] ?? $argv[1] ?? '');
$named = (string) ini_get('flagstone.store');
$loaded = extension_loaded('flagstone');
if ($loaded && $named === '' && $store !== '') {
    flagstone_use($store);
}
// So that requests at the same time meet several workers.
usleep((int) ($_SERVER['FLAGSTONE_DOCTOR_PAUSE'] ?? 0));
echo "\nflagstone-doctor: ", json_encode([
    'php' => PHP_VERSION,
    'sapi' => PHP_SAPI,
    'pid' => getmypid(),
    'named' => $named,
    'status' => $loaded ? flagstone_status() : null,
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR), "\n";
