<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\LoadError;

/**
 * Decodes JSON text: objects as stdClass, lists as arrays. Duplicate keys, integers beyond 64 bits, and percentages with more
 * decimals than a float keeps are refused; PHP alone would drop or round them.
 *
 * @internal
 */
final class Json
{
    /** Maximum bytes of a file. */
    private const SIZE = 64 << 20;
    /** PHP's name for 64 objects and lists in each other: a value in them is one level more. */
    private const NESTING = 65;
    /** Skips strings: matches any of them, and then fails. */
    private const SKIP_STRING = '"(?:[^"\\\\]++|\\\\.)*+"(*SKIP)(*FAIL)';

    /** @throws LoadError */
    public static function decode(string $file, string $text): mixed
    {
        if (\strlen($text) > self::SIZE) {
            throw new LoadError("$file: found " . \strlen($text) . ' bytes, expected at most ' . self::SIZE);
        }
        $tree = \json_decode($text, false, self::NESTING);
        // Read now: a complaint decodes parts of the text.
        $error = \json_last_error() === \JSON_ERROR_NONE ? null : \json_last_error_msg();
        if ($error !== null) {
            throw new LoadError((new Syntax($file, $text))->complaint() ?? "$file: $error");
        }
        $keys = \preg_match_all('/"(?:[^"\\\\]++|\\\\.)*+"(?:\s*+:|(*SKIP)(*FAIL))/s', $text);
        $long = \preg_match_all('/' . self::SKIP_STRING . '|(?<![\d.eE+])\d{19,}+(?![.eE])/s', $text);
        $rounded = \preg_match('/"(?:percentage|weight)"\s*+:\s*+-?(?:[\d.]{16}|[\d.]++[eE])/', $text);
        if ($keys === false || $long === false || $long > 0 || $rounded !== 0 || $keys !== self::keys($tree)) {
            $complaint = (new Syntax($file, $text))->complaint();
            if ($complaint !== null) {
                throw new LoadError($complaint);
            }
        }

        return $tree;
    }

    private static function keys(mixed $tree): int
    {
        $keys = 0;
        $members = $tree instanceof \stdClass;
        $values = $members ? (array) $tree : $tree;
        foreach (\is_array($values) ? $values : [] as $value) {
            $keys += $members ? 1 : 0;
            if (!\is_scalar($value)) {
                $keys += self::keys($value);
            }
        }

        return $keys;
    }
}
