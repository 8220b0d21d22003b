<?php

/**
 * Defines Flagstone's functions, unless the extension does.
 */

declare(strict_types=1);

// Composer finds the classes; whoever includes this file by hand needs no Composer.
spl_autoload_register(static function (string $class): void {
    $prefix = 'Flagstone\\Polyfill\\';
    if (strncmp($class, $prefix, 19) === 0) {
        $file = __DIR__ . '/src/' . strtr(substr($class, 19), '\\', '/') . '.php';
        if (is_file($file)) {
            require_once $file;
        }
    }
});

if (!extension_loaded('flagstone')) {
    require_once __DIR__ . '/functions.php';
}
