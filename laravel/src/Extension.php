<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

/**
 * State of the PHP extension at run time.
 *
 * opcache compiles the answers of `extension_loaded()` and `ini_get()` into the calling code, in every notation of the name: pools
 * of one PHP-FPM share that code, and with `opcache.file_cache` the command line does, too.
 *
 * @internal
 */
final class Extension
{
    public static function isLoaded(): bool
    {
        return \flagstone_status()['backend'] === 'extension';
    }

    /** The store that php.ini, or the pool, names; empty: the application does. */
    public static function store(): string
    {
        if (!self::isLoaded()) {
            $store = \function_exists('get_cfg_var') ? \get_cfg_var('flagstone.store') : '';
        } elseif (\function_exists('ini_get_all')) {
            $store = \ini_get_all('flagstone', false)['flagstone.store'] ?? '';
        } else {
            // disable_functions hides ini_get_all(): one pool's value is better than none.
            $store = \function_exists('ini_get') ? \ini_get('flagstone.store') : '';
        }

        return \is_string($store) ? $store : '';
    }
}
