<?php

/**
 * Defines Flagstone's functions, unless the extension does.
 */

declare(strict_types=1);

// Autoloader for applications that include this file by hand, without Composer.
spl_autoload_register(static function (string $class): void {
    $prefix = 'Flagstone\\Polyfill\\';
    if (strncmp($class, $prefix, 19) === 0) {
        $file = __DIR__ . '/src/' . strtr(substr($class, 19), '\\', '/') . '.php';
        if (is_file($file)) {
            require_once $file;
        }
    }
});

if (!function_exists('hrtime')) {
    require_once __DIR__ . '/src/hrtime.php';
}

// extension_loaded() alone is not enough: opcache compiles its answer into this file, and with opcache.file_cache it may have been
// another PHP's.
if (!in_array('flagstone', function_exists('get_loaded_extensions') ? get_loaded_extensions() : (extension_loaded('flagstone') ? ['flagstone'] : []), true)) {
    require_once __DIR__ . '/functions.php';
}
