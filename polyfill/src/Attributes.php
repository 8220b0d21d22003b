<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Comparable values of a context's attributes, and the names of their types.
 *
 * @internal
 */
final class Attributes
{
    /** Value of an attribute that is present, and compares with nothing. */
    public const INCOMPARABLE = [];

    /**
     * Returns a scalar or null as it is; a backed enum's value, a time as RFC 3339 in UTC, a Stringable's text; an empty array for
     * anything else. Never throws.
     *
     * @return bool|int|float|string|array{}|null
     */
    public static function comparable(mixed $value): bool|int|float|string|array|null
    {
        return match (true) {
            $value === null || \is_scalar($value) => $value,
            $value instanceof \BackedEnum => $value->value,
            $value instanceof \DateTimeInterface => self::time($value) ?? self::INCOMPARABLE,
            $value instanceof \Stringable && self::isText($value) => self::text($value) ?? self::INCOMPARABLE,
            default => self::INCOMPARABLE,
        };
    }

    /**
     * The context, with values in place of the named objects.
     *
     * @param array<array-key, mixed> $context
     * @param list<string> $names
     * @return array<array-key, mixed>
     */
    public static function resolve(array $context, array $names): array
    {
        foreach ($names as $name) {
            $value = $context[$name] ?? null;
            if (\is_object($value)) {
                // The entry may be a reference to the caller's variable.
                unset($context[$name]);
                $context[$name] = self::comparable($value);
            }
        }

        return $context;
    }

    /** True if the value's type can be compared; a text that throws is found only when it is read. */
    public static function isComparable(mixed $value): bool
    {
        return $value === null || \is_scalar($value) || $value instanceof \BackedEnum || $value instanceof \DateTimeInterface || self::isText($value);
    }

    /** Type of a value in a sentence: "an object of App\Plan", "a string". */
    public static function type(mixed $value): string
    {
        $type = \is_object($value) ? 'object of ' . \get_debug_type($value) : Company::type($value);

        return (\in_array($type[0], ['a', 'i', 'o'], true) ? 'an ' : 'a ') . $type;
    }

    private static function time(\DateTimeInterface $time): ?string
    {
        try {
            // A class of the application may format otherwise.
            [$text, $micros] = \explode('.', $time->format('U.u'), 2) + ['', ''];
        } catch (\Throwable) {
            return null;
        }
        $seconds = (int) $text;

        return (string) $seconds !== $text || \strlen($micros) !== 6 || \strspn($micros, '0123456789') !== 6
            || $seconds < Time::FIRST_SECOND || $seconds > Time::LAST_SECOND
            ? null
            : \gmdate('Y-m-d\TH:i:s', $seconds) . ".{$micros}Z";
    }

    /** Excludes models and collections, whose text is their JSON. */
    private static function isText(mixed $value): bool
    {
        return $value instanceof \Stringable && !\method_exists($value, 'toArray');
    }

    private static function text(\Stringable $value): ?string
    {
        try {
            return (string) $value;
        } catch (\Throwable) {
            return null;
        }
    }
}
