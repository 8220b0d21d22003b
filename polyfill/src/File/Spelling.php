<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * Forms of names, without regular expressions, which match nothing where pcre.backtrack_limit is low.
 *
 * @internal
 */
final class Spelling
{
    public const DIGITS = '0123456789';
    public const LOWER = 'abcdefghijklmnopqrstuvwxyz';
    public const LETTERS = self::LOWER . 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
    public const ALPHANUMERIC = self::LETTERS . self::DIGITS;

    /** True for 1 to `$most` bytes, the first of these and the others of those. */
    public static function isName(string $text, int $most, string $first, string $others): bool
    {
        $length = \strlen($text);

        return $length > 0 && $length <= $most && \strspn($text, $first, 0, 1) === 1 && \strspn($text, $others, 1) === $length - 1;
    }

    /** True for a length of time such as "12h". */
    public static function isSpan(string $text): bool
    {
        return self::isName(\substr($text, 0, -1), 6, '123456789', self::DIGITS) && \strspn($text, 'smhdw', -1) === 1;
    }

    /** Bytes of the first characters, at most that many. */
    public static function bytes(string $text, int $characters): int
    {
        for ($at = 0; $at < \strlen($text); ++$at) {
            if ((\ord($text[$at]) & 0xC0) !== 0x80 && --$characters < 0) {
                break;
            }
        }

        return $at;
    }
}
