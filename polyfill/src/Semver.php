<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Semantic Versioning 2.0.0, strictly: no leading `v`, no missing part; build metadata does not count.
 *
 * @internal
 */
final class Semver
{
    private const DIGITS = '0123456789';
    private const IDENTIFIER = '0123456789-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

    /** -1, 0 or 1 by precedence; null if either is no version. */
    public static function compare(string $a, string $b): ?int
    {
        $left = self::parse($a);
        $right = self::parse($b);
        if ($left === null || $right === null) {
            return null;
        }
        $order = self::numbers($left[0], $right[0]) ?: self::numbers($left[1], $right[1]) ?: self::numbers($left[2], $right[2]);
        if ($order !== 0) {
            return $order;
        }
        [$pre, $other] = [$left[3], $right[3]];
        if ($pre === null || $other === null) {
            return ($pre === null ? 1 : 0) - ($other === null ? 1 : 0);
        }

        return self::preReleases(\explode('.', $pre), \explode('.', $other));
    }

    /**
     * Three numbers and the pre-release, which may be null.
     *
     * @return ?array{string, string, string, ?string}
     */
    private static function parse(string $text): ?array
    {
        $parts = \explode('+', $text, 2);
        if (isset($parts[1])) {
            foreach (\explode('.', $parts[1]) as $part) {
                if (!self::isIdentifier($part)) {
                    return null;
                }
            }
        }
        $parts = \explode('-', $parts[0], 2);
        $pre = $parts[1] ?? null;
        if ($pre !== null) {
            foreach (\explode('.', $pre) as $part) {
                if (!self::isIdentifier($part) || self::isPadded($part)) {
                    return null;
                }
            }
        }
        $core = \explode('.', $parts[0]);
        if (\count($core) !== 3) {
            return null;
        }
        foreach ($core as $part) {
            if (!self::isNumber($part) || self::isPadded($part)) {
                return null;
            }
        }
        return [$core[0], $core[1], $core[2], $pre];
    }

    private static function isIdentifier(string $part): bool
    {
        return $part !== '' && \strspn($part, self::IDENTIFIER) === \strlen($part);
    }

    private static function isNumber(string $part): bool
    {
        return $part !== '' && \strspn($part, self::DIGITS) === \strlen($part);
    }

    /** True for a number with a leading zero. */
    private static function isPadded(string $part): bool
    {
        return \strlen($part) > 1 && $part[0] === '0' && self::isNumber($part);
    }

    /** Compares by length first: without leading zeros the longer number is the greater one. */
    private static function numbers(string $a, string $b): int
    {
        return (\strlen($a) <=> \strlen($b)) ?: (\strcmp($a, $b) <=> 0);
    }

    /**
     * Compares numbers by value and before words, words by bytes, the shorter list first.
     *
     * @param list<string> $a
     * @param list<string> $b
     */
    private static function preReleases(array $a, array $b): int
    {
        foreach ($a as $at => $left) {
            if (!isset($b[$at])) {
                return 1;
            }
            $right = $b[$at];
            [$number, $other] = [self::isNumber($left), self::isNumber($right)];
            if ($number && $other) {
                $order = self::numbers($left, $right);
            } elseif ($number !== $other) {
                $order = $number ? -1 : 1;
            } else {
                $order = \strcmp($left, $right) <=> 0;
            }
            if ($order !== 0) {
                return $order;
            }
        }

        return \count($a) <=> \count($b);
    }
}
