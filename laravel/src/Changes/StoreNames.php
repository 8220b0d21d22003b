<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Extension;

/**
 * The stores that this application names, beside the one that answers. php.ini's flagstone.store is final: where several applications share
 * a php.ini, it is another application's for all but one of them.
 *
 * @internal
 */
final class StoreNames
{
    /**
     * @param ?string $configured the store that .env or the configuration named at the boot; null: none
     * @param ?string $typed the store of the environment, if the configuration did not read it
     */
    public function __construct(private readonly ?string $configured, private readonly ?string $typed)
    {
    }

    /** A store that this application names while that one answers; null if there is none. */
    public function other(string $answering): ?string
    {
        // PHP code may have named another than the configured one since; php.ini's cannot be replaced.
        foreach ([$this->typed, Extension::store() !== '' ? $this->configured : null] as $store) {
            if ($store !== null && self::path($store) !== self::path($answering)) {
                return $store;
            }
        }

        return null;
    }

    /** The difference in a sentence. */
    public function difference(string $answering, string $other): string
    {
        $where = Extension::store() !== '' ? 'php.ini (flagstone.store)' : 'the cached configuration';

        return "$where names the store $answering, which answers here; this application names $other (FLAGSTONE_STORE, or \"store\" in config/flagstone.php)";
    }

    /** What to write, so that they are the same. */
    public function remedy(string $answering, string $other): string
    {
        if (Extension::store() === '') {
            return "php artisan config:cache, or unset FLAGSTONE_STORE in the shell, where $answering is meant";
        }

        return "where several applications share this php.ini, take flagstone.store out of it (php --ini lists its files), and name each one's store in its .env; until then run"
            . ' artisan, queue workers and cron by php -d flagstone.store=' . self::shell($other) . ". Where $answering is meant: FLAGSTONE_STORE=$answering in .env";
    }

    /** An argument as it is typed. */
    public static function shell(string $argument): string
    {
        return \preg_match('~^[\w./=:,@%+-]+$~D', $argument) === 1 ? $argument : "'" . \str_replace("'", "'\\''", $argument) . "'";
    }

    private static function path(string $store): string
    {
        return @\realpath($store) ?: \rtrim($store, '/');
    }
}
