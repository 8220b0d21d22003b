<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Keys of companies, normalized like PHP's array keys: 42 and "42" are one company, and "042" is another.
 *
 * @internal
 */
final class Company
{
    /** Maximum bytes of a key; a longer string counts as missing. */
    private const LONGEST = 1024;

    /** 2^53 - 1. From the next int on, one float stands for several ints, and so for several companies. */
    private const LARGEST_EXACT_FLOAT = 9_007_199_254_740_991.0;

    /** Converts an argument to a key; null if it is missing. */
    public static function key(mixed $company, string $function, int $number, string $name): int|string|null
    {
        if (\is_int($company) || $company === null) {
            return $company;
        }
        if (\is_string($company)) {
            return self::normal($company);
        }
        // 42.0 is 42, as in PHP's own functions. They would turn 42.5 into 42 or "42.5": another company's answer.
        if (\is_float($company) && \floor($company) === $company && \abs($company) <= self::LARGEST_EXACT_FLOAT) {
            return (int) $company;
        }
        $type = self::type($company);
        throw new \TypeError(\sprintf(
            '%s(): Argument #%d ($%s) must be of type string|int|null, %s given%s',
            $function,
            $number,
            $name,
            $type,
            \is_object($company) ? '; pass its key, such as $company->getKey()' : '',
        ));
    }

    /** Converts a string to a key; null if it is empty or too long. */
    public static function normal(string $text): int|string|null
    {
        $int = (int) $text;
        if ((string) $int === $text) {
            return $int;
        }

        return $text === '' || \strlen($text) > self::LONGEST ? null : $text;
    }

    /** Type of a value as in PHP's own errors: a resource is a resource, open or closed. */
    public static function type(mixed $value): string
    {
        return \str_starts_with(\gettype($value), 'resource') ? 'resource' : \get_debug_type($value);
    }
}
