<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Searches for a text in another, in time that tenants cannot make long.
 *
 * @internal
 */
final class Search
{
    /** Maximum byte comparisons for PHP's own search, some 2 ms. */
    private const MAX_COMPARISONS = 1 << 20;

    public static function contains(string $text, string $part): bool
    {
        // PHP compares up to the whole part at each place, if the text repeats itself.
        return \strlen($text) * \strlen($part) <= self::MAX_COMPARISONS ? \str_contains($text, $part) : self::linear($text, $part);
    }

    /** Knuth, Morris and Pratt's search: at most two comparisons per byte of the text. `$part` is not empty. */
    public static function linear(string $text, string $part): bool
    {
        $length = \strlen($part);
        // Failure table: matched bytes of the part's beginning that remain after a mismatch.
        $matched = 0;
        $shorter = [0, 0];
        for ($at = 1; $at < $length; ++$at) {
            while ($matched > 0 && $part[$at] !== $part[$matched]) {
                $matched = $shorter[$matched];
            }
            $matched += $part[$at] === $part[$matched] ? 1 : 0;
            $shorter[] = $matched;
        }
        $matched = 0;
        for ($at = 0, $end = \strlen($text); $at < $end; ++$at) {
            while ($matched > 0 && $text[$at] !== $part[$matched]) {
                $matched = $shorter[$matched];
            }
            if ($text[$at] === $part[$matched] && ++$matched === $length) {
                return true;
            }
        }

        return false;
    }
}
