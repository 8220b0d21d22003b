<?php

/**
 * Stands for Composer's vendor/autoload.php: Laravel from Debian's packages; this package, the polyfill and the
 * application from their folders.
 */

declare(strict_types=1);

// Laravel 8 on PHP 8.2 raises deprecation notices of its own.
error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);

require_once 'Illuminate/autoload.php';

(static function (): void {
    $base = dirname(__DIR__);
    // `serve` puts them below vendor; here they are the repository's.
    $packages = is_dir("$base/vendor/flagstone") ? "$base/vendor/flagstone" : dirname($base, 2);
    $folders = ['Flagstone\\Laravel\\' => "$packages/laravel/src/", 'App\\' => "$base/app/"];
    spl_autoload_register(static function (string $class) use ($folders): void {
        foreach ($folders as $prefix => $folder) {
            $file = $folder . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
            if (str_starts_with($class, $prefix) && is_file($file)) {
                require $file;
            }
        }
    });
    require_once "$packages/polyfill/bootstrap.php";
})();
