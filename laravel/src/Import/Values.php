<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Changes\CompanyText;

/**
 * Reads values in the notation of .env files and configuration.
 */
final class Values
{
    /**
     * Reads a bool; null if code and its author could differ: "off" is true for PHP.
     */
    public static function bool(mixed $value): ?bool
    {
        if (\is_bool($value) || $value === null) {
            return (bool) $value;
        }

        return match (\is_scalar($value) ? \strtolower(\trim((string) $value)) : 'none') {
            'true', '(true)', '1' => true,
            'false', '(false)', '0', '', 'null', '(null)', 'empty', '(empty)' => false,
            default => null,
        };
    }

    /**
     * Reads companies, from a list or a text with commas, as array keys, each once.
     *
     * @return ?list<int|string> null if there is another value among them, such as a list within the list, or 15.0
     */
    public static function companies(mixed $value): ?array
    {
        // env() reads these texts as nothing.
        $word = \is_string($value) ? \strtolower(\trim($value)) : $value;
        if (\in_array($word, [null, 'null', '(null)', 'empty', '(empty)'], true)) {
            return [];
        }
        $items = match (true) {
            // A collection among them.
            \is_iterable($value) => [...$value],
            \is_int($value) || \is_string($value) => \explode(',', (string) $value),
            default => [null],
        };
        $companies = [];
        foreach ($items as $item) {
            if (!\is_int($item) && !\is_string($item)) {
                return null;
            }
            $item = \trim((string) $item);
            // It would become one company of that name.
            if ($item !== '' && (CompanyText::problem($item) !== null || self::isSeveral($item) || !\mb_check_encoding($item, 'UTF-8'))) {
                return null;
            }
            if ($item !== '') {
                $companies[$item] = true;
            }
        }
        $texts = \array_filter(\array_keys($companies), is_string(...));
        // A word among integers, such as the name of their sum.
        if (\count($companies) > 2 && \count($texts) === 1 && \preg_match('/^[\p{L}.:]+$/Du', \reset($texts)) === 1) {
            return null;
        }

        return \array_keys($companies);
    }

    /** True for integers with another separator than a comma, for a range, and for a word that means many companies or none. */
    private static function isSeveral(string $item): bool
    {
        return \preg_match('/^\d+(?:[^\p{L}\p{N}._-]+\d+)+$|^(?:all|any|everyone|everybody|nobody|yes|no|on|off)$/Diu', $item) === 1
            || \preg_match('/^([1-9]\d*)-([1-9]\d*)$/D', $item, $range) === 1 && $range[1] < $range[2];
    }

    /** Reads a percentage, 0 to 100; null if it is none. */
    public static function percentage(mixed $value): int|float|null
    {
        if (!\is_numeric($value) || !($value >= 0 && $value <= 100)) {
            return null;
        }

        return (float) $value == (int) $value ? (int) $value : (float) $value;
    }

    /** Shows a value in messages. */
    public static function shown(mixed $value): string
    {
        $flags = \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_PARTIAL_OUTPUT_ON_ERROR;
        $text = (string) \json_encode($value, $flags);

        return \mb_strlen($text) > 40 ? \mb_substr($text, 0, 40) . '…' : $text;
    }
}
