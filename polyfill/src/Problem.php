<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Why a store or snapshot cannot be used. Caught inside this package: its text is what status shows.
 *
 * @internal
 */
final class Problem extends \RuntimeException
{
    /** Code of a problem that is no more than a path that leads nowhere. */
    public const MISSING = 1;

    /** A path, or other text found, that cannot forge another line. */
    public static function printable(string $text): string
    {
        return (string) \preg_replace('/[\x00-\x1f\x7f]/', "\u{fffd}", $text);
    }

    public static function bytes(string $bytes): string
    {
        return '[' . \implode(', ', \str_split(\bin2hex($bytes), 2)) . ']';
    }
}
