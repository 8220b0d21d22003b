<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Compares numbers by exact value, and does 64-bit arithmetic that wraps where PHP's would turn into floats.
 *
 * @internal
 */
final class Number
{
    public const TWO_TO_63 = 9_223_372_036_854_775_808.0;

    private const LOW = 0xFFFF_FFFF;
    /** Halves of 0x9E3779B97F4A7C15, 2^64 divided by the golden ratio. */
    private const FIBONACCI_HIGH = 0x9E37_79B9;
    private const FIBONACCI_LOW = 0x7F4A_7C15;

    /** -1, 0 or 1; null if either is NaN. An int is never rounded. */
    public static function compare(int|float $a, int|float $b): ?int
    {
        if (\is_int($a)) {
            return \is_int($b) ? $a <=> $b : self::intAndFloat($a, $b);
        }
        if (\is_int($b)) {
            $order = self::intAndFloat($b, $a);

            return $order === null ? null : -$order;
        }

        return \is_nan($a) || \is_nan($b) ? null : $a <=> $b;
    }

    /** The top `$bits` bits (at most 32) of the key times 2^64 / golden ratio, modulo 2^64. */
    public static function fibonacci(int $key, int $bits): int
    {
        if ($bits === 0) {
            return 0;
        }
        $low = $key & self::LOW;
        $high = ($key >> 32) & self::LOW;
        // low × low as products of 32 × 16 bits, so that nothing passes 2^63.
        $first = $low * (self::FIBONACCI_LOW & 0xFFFF);
        $second = $low * (self::FIBONACCI_LOW >> 16);
        $carry = (($first & self::LOW) + (($second & 0xFFFF) << 16)) >> 32;
        $upper = ($first >> 32) + ($second >> 16) + $carry;
        $upper += self::low($high, self::FIBONACCI_LOW) + self::low($low, self::FIBONACCI_HIGH);

        return ($upper & self::LOW) >> (32 - $bits);
    }

    /** The low 32 bits of the product of two 32-bit numbers. */
    private static function low(int $a, int $b): int
    {
        return (($a & 0xFFFF) * $b + (((($a >> 16) * $b) & 0xFFFF) << 16)) & self::LOW;
    }

    private static function intAndFloat(int $int, float $float): ?int
    {
        if (\is_nan($float)) {
            return null;
        }
        if ($float >= self::TWO_TO_63) {
            return -1;
        }
        if ($float < -self::TWO_TO_63) {
            return 1;
        }
        // In range, so the whole part converts exactly; the fraction decides between equals.
        $whole = (int) $float;

        return ($int <=> $whole) ?: (0.0 <=> $float - (float) $whole);
    }
}
