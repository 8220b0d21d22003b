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
        $store = \get_cfg_var('flagstone.store');

        return \is_string($store) ? $store : '';
    }

    /** Nanoseconds between looks at the head in a process that lives long; 0 never. */
    public static function refresh(): int
    {
        $seconds = \get_cfg_var('flagstone.refresh');
        $seconds = \is_string($seconds) && \is_numeric($seconds) ? (float) $seconds : -1.0;

        return $seconds >= 0.0 && $seconds <= 86_400.0 ? (int) ($seconds * 1e9) : 1_000_000_000;
    }

    public static function telemetry(): bool
    {
        return self::switch(\get_cfg_var('flagstone.telemetry')) ?? true;
    }

    public static function overrideAllowed(): bool
    {
        return self::switch(\get_cfg_var('flagstone.allow_override')) ?? self::livesLong();
    }

    /** Whether this is a SAPI whose process is one long request. */
    public static function livesLong(): bool
    {
        return \in_array(\PHP_SAPI, ['cli', 'phpdbg', 'embed', 'micro'], true);
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
