<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Keys: a company's id as PHP array keys are normalised, so that 42 and "42" are one company and "042" is another.
 *
 * @internal
 */
final class Company
{
    /** A longer string counts as missing. */
    private const LONGEST = 1024;

    /** 2^53 - 1. From the next int on one float stands for several ints, and so for several companies. */
    private const LARGEST_EXACT_FLOAT = 9_007_199_254_740_991.0;

    /** The key that an argument is; null if it is missing. */
    public static function key(mixed $company, string $function, int $number, string $name): int|string|null
    {
        if (\is_int($company) || $company === null) {
            return $company;
        }
        if (\is_string($company)) {
            return self::normal($company);
        }
        // 42.0 is 42, as for PHP's own functions. Of 42.5 they would make 42 or "42.5": another company's answer.
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

    /** The key that a string is; null if it is empty or too long. */
    public static function normal(string $text): int|string|null
    {
        $int = (int) $text;
        if ((string) $int === $text) {
            return $int;
        }

        return $text === '' || \strlen($text) > self::LONGEST ? null : $text;
    }

    /** A value's type as PHP's own errors name it: a resource is a resource, open or closed. */
    public static function type(mixed $value): string
    {
        return \str_starts_with(\gettype($value), 'resource') ? 'resource' : \get_debug_type($value);
    }
}
