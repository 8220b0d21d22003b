<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * The extension's directives, which php.ini may hold without the extension.
 *
 * @internal
 */
final class Settings
{
    /** Directory of the store; empty: the application names one. */
    public static function store(): string
    {
        $store = self::configured('flagstone.store');

        return \is_string($store) ? $store : '';
    }

    /** Nanoseconds between looks at the head in a process that lives long; 0 never. */
    public static function refresh(): int
    {
        $seconds = self::configured('flagstone.refresh');
        $seconds = \is_string($seconds) && \is_numeric($seconds) ? (float) $seconds : -1.0;

        return $seconds >= 0.0 && $seconds <= 86_400.0 ? (int) ($seconds * 1e9) : 1_000_000_000;
    }

    public static function telemetry(): bool
    {
        return self::switch(self::configured('flagstone.telemetry')) ?? true;
    }

    public static function overrideAllowed(): bool
    {
        return self::switch(self::configured('flagstone.allow_override')) ?? self::livesLong();
    }

    /** Whether this is a SAPI whose process is one long request. */
    public static function livesLong(): bool
    {
        return \in_array(\PHP_SAPI, ['cli', 'phpdbg', 'embed', 'micro'], true);
    }

    /** A directive of PHP's own; empty where `disable_functions` keeps it. */
    public static function iniValue(string $name): string
    {
        return \function_exists('ini_get') ? (string) \ini_get($name) : '';
    }

    /** What php.ini has under that name, though no extension asked for it. */
    private static function configured(string $name): mixed
    {
        return \function_exists('get_cfg_var') ? \get_cfg_var($name) : false;
    }

    /** As PHP reads booleans in php.ini; null for anything else, which leaves the default. */
    private static function switch(mixed $value): ?bool
    {
        return match (\is_string($value) ? \strtolower($value) : null) {
            '1', 'on', 'yes', 'true' => true,
            '', '0', 'off', 'no', 'false', 'none' => false,
            default => null,
        };
    }
}
