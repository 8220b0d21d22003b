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
    /** Characters of a percentage that a float keeps for sure. */
    private const SHORT_NUMBER = 15;

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
        if (self::mayDiffer($text, $tree)) {
            $complaint = (new Syntax($file, $text))->complaint();
            if ($complaint !== null) {
                throw new LoadError($complaint);
            }
        }

        return $tree;
    }

    /** True if PHP may have dropped a key, or rounded a number: then the tree, written again, is not what the text says. */
    private static function mayDiffer(string $text, mixed $tree): bool
    {
        $written = (string) \json_encode($tree, \JSON_PARTIAL_OUTPUT_ON_ERROR);
        // A dropped key takes its colon along; a colon that is written as an escape would stand for it.
        if (\substr_count($text, ':') !== \substr_count($written, ':') || \str_contains($text, '\u003a') || \str_contains($text, '\u003A')) {
            return true;
        }
        $hasLongInt = \str_contains(\strtr($text, '123456789', '000000000'), '0000000000000000000')
            && $written !== \json_encode(\json_decode($text, false, self::NESTING, \JSON_BIGINT_AS_STRING), \JSON_PARTIAL_OUTPUT_ON_ERROR);

        return $hasLongInt || self::hasLongNumber($text, '"percentage"') || self::hasLongNumber($text, '"weight"');
    }

    private static function hasLongNumber(string $text, string $key): bool
    {
        for ($at = \strpos($text, $key); $at !== false; $at = \strpos($text, $key, $at)) {
            $at += \strlen($key);
            $at += \strspn($text, ": \t\r\n", $at);
            $number = \substr($text, $at, \strspn($text, '0123456789+-.eE', $at));
            if (\strlen($number) > self::SHORT_NUMBER || \stripos($number, 'e') !== false) {
                return true;
            }
        }

        return false;
    }
}
