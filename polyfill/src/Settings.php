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
    /** Directory of the store; empty if the application names it. */
    public static function store(): string
    {
        $store = self::configured('flagstone.store');

        return \is_string($store) && \trim($store) !== '' ? $store : '';
    }

    /** The number of a user whose store is believed wherever it lies; null if php.ini names none. */
    public static function owner(): ?int
    {
        $owner = self::configured('flagstone.owner');

        return \is_string($owner) ? self::user(\trim($owner)) : null;
    }

    /** Nanoseconds between looks at the head in a process that lives long; 0 means never. */
    public static function refresh(): int
    {
        return self::nanoseconds(self::configured('flagstone.refresh')) ?? 1_000_000_000;
    }

    public static function telemetry(): bool
    {
        return self::switch(self::configured('flagstone.telemetry')) ?? true;
    }

    public static function overrideAllowed(): bool
    {
        return self::switch(self::configured('flagstone.allow_override')) ?? self::isLongLived();
    }

    /** True for a SAPI whose process is one long request. */
    public static function isLongLived(): bool
    {
        return \in_array(\PHP_SAPI, ['cli', 'phpdbg', 'embed', 'micro'], true);
    }

    /** A directive of PHP's own; empty if `disable_functions` hides it. */
    public static function iniValue(string $name): string
    {
        return \function_exists('ini_get') ? (string) \ini_get($name) : '';
    }

    /**
     * Values of php.ini that were refused, each with the expected form, and such as are not read.
     *
     * @return list<string>
     */
    public static function refused(): array
    {
        $isWord = static fn (string $value, string ...$words): bool => \in_array(\strtolower(\trim($value)), $words, true);
        $isSwitch = static fn (string $value): bool => self::switch($value) !== null;
        $expected = [
            'flagstone.telemetry' => ["On, Off, or a directory's absolute path", static fn (string $value): bool => \str_starts_with(\trim($value), '/') || $isSwitch($value)],
            'flagstone.refresh' => ['seconds from 0 to 86400', static fn (string $value): bool => \trim($value) === '' || self::nanoseconds($value) !== null],
            'flagstone.owner' => ["a user's number, or a name of /etc/passwd", static fn (string $value): bool => \trim($value) === '' || self::user(\trim($value)) !== null],
            'flagstone.map' => ['auto, private or shared', static fn (string $value): bool => $isWord($value, '', 'auto', 'private', 'shared')],
            'flagstone.allow_override' => ['On, Off or cli', static fn (string $value): bool => $isWord($value, 'cli') || $isSwitch($value)],
        ];
        $refused = \function_exists('get_cfg_var') ? [] : ['settings of flagstone in php.ini are not read: ' . LoadError::withoutFunction('get_cfg_var()')->getMessage()];
        foreach ($expected as $setting => [$what, $isUnderstood]) {
            $value = self::configured($setting);
            if (\is_string($value) && !$isUnderstood($value)) {
                $refused[] = $setting . ' is "' . LoadError::printable(\substr($value, 0, 100)) . "\", expected $what; it is ignored";
            }
        }

        // No other SAPI of PHP's own applies sections.
        return \in_array(\PHP_SAPI, ['fpm-fcgi', 'cgi-fcgi'], true) ? [...$refused, ...self::ofSections($_SERVER)] : $refused;
    }

    /**
     * Settings in php.ini's sections for a host or a directory, which PHP applies for extensions alone.
     *
     * @param array<array-key, mixed> $server as `$_SERVER`
     * @return list<string> a warning for each section
     */
    public static function ofSections(array $server): array
    {
        [$host, $script] = [$server['SERVER_NAME'] ?? '', $server['SCRIPT_FILENAME'] ?? ''];
        $sections = \is_string($host) ? [\strtolower($host)] : [];
        for ($directory = \is_string($script) ? \dirname($script) : ''; \strlen($directory) > 1; $directory = \dirname($directory)) {
            $sections[] = $directory;
        }
        $warnings = [];
        foreach ($sections as $section) {
            $values = self::configured($section);
            $names = \array_filter(\is_array($values) ? \array_keys($values) : [], static fn (int|string $name): bool => \str_starts_with((string) $name, 'flagstone.'));
            if ($names !== []) {
                $warnings[] = 'php.ini sets ' . \implode(', ', $names) . ' in the section of ' . LoadError::printable($section) . ', where the polyfill reads nothing; set it outside of sections, or load the extension';
            }
        }

        return $warnings;
    }

    /** The number of a user, given as such or by a local name. */
    private static function user(string $name): ?int
    {
        if (!self::isNumber($name)) {
            // No regular expression: pcre.backtrack_limit may let none match.
            foreach (\explode("\n", \function_exists('file_get_contents') ? (string) @\file_get_contents('/etc/passwd') : '') as $line) {
                $fields = \explode(':', $line);
                if ($fields[0] === $name && isset($fields[2])) {
                    return self::isNumber($fields[2]) ? (int) $fields[2] : null;
                }
            }

            return null;
        }

        return (int) $name;
    }

    /** True for the number of a user; `chown` takes 4294967295 as "no change". */
    private static function isNumber(string $text): bool
    {
        return $text !== '' && \strspn($text, '0123456789') === \strlen($text) && \strlen(\ltrim($text, '0')) <= 10 && (int) $text < 0xffff_ffff;
    }

    /** Converts seconds; null for anything else. Rounds up to milliseconds: a small interval must not become 0, which means never. */
    private static function nanoseconds(mixed $seconds): ?int
    {
        if (!\is_string($seconds) || !\is_numeric(\trim($seconds))) {
            return null;
        }
        $seconds = (float) \trim($seconds);

        return $seconds >= 0.0 && $seconds <= 86_400.0 ? (int) \ceil($seconds * 1000.0) * 1_000_000 : null;
    }

    /** The value in php.ini, even though no extension registered the name. */
    private static function configured(string $name): mixed
    {
        return \function_exists('get_cfg_var') ? \get_cfg_var($name) : false;
    }

    /** Reads a boolean as PHP does in php.ini; null for anything else, which leaves the default. */
    private static function switch(mixed $value): ?bool
    {
        return match (\is_string($value) ? \strtolower(\trim($value)) : null) {
            '1', 'on', 'yes', 'true' => true,
            '', '0', 'off', 'no', 'false', 'none' => false,
            default => null,
        };
    }
}
