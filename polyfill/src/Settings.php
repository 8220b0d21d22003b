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
        return \trim((string) \get_cfg_var('flagstone.store'));
    }

    /** Nanoseconds between looks at the head in a process that lives long; 0 never. */
    public static function refresh(): int
    {
        $seconds = \get_cfg_var('flagstone.refresh');
        $seconds = \is_string($seconds) && \is_numeric($seconds) ? (float) $seconds : 1.0;

        return (int) (\min(\max($seconds, 0.0), 86_400.0) * 1e9);
    }

    public static function telemetry(): bool
    {
        $set = \get_cfg_var('flagstone.telemetry');

        return $set === false || self::switch($set);
    }

    public static function overrideAllowed(): bool
    {
        $set = \get_cfg_var('flagstone.allow_override');

        return $set === false || $set === 'cli' ? self::livesLong() : self::switch($set);
    }

    /** Whether this is a SAPI whose process is one long request. */
    public static function livesLong(): bool
    {
        return \in_array(\PHP_SAPI, ['cli', 'phpdbg', 'embed', 'micro'], true);
    }

    private static function switch(string $value): bool
    {
        return \in_array(\strtolower($value), ['1', 'on', 'yes', 'true'], true);
    }
}
