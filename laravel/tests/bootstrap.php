<?php

/**
 * Loads Laravel from Debian's packages, and this package and the polyfill from the repository.
 */

declare(strict_types=1);

// Laravel 8 on PHP 8.2 raises deprecation notices of its own.
error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);

require_once 'Illuminate/autoload.php';

spl_autoload_register(static function (string $class): void {
    foreach (['Flagstone\\Laravel\\Tests\\' => '/', 'Flagstone\\Laravel\\' => '/../src/'] as $prefix => $folder) {
        if (str_starts_with($class, $prefix)) {
            $file = __DIR__ . $folder . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
            if (is_file($file)) {
                require_once $file;
            }

            return;
        }
    }
});

require_once __DIR__ . '/../../polyfill/bootstrap.php';

$backend = getenv('FLAGSTONE_BACKEND');
$actual = extension_loaded('flagstone') ? 'extension' : 'polyfill';
if ($backend !== false && $backend !== $actual) {
    fwrite(STDERR, "laravel/tests/bootstrap.php: these tests are for the $backend, but the $actual answers\n");
    exit(1);
}
