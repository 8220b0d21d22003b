<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

/**
 * Values as .env files and configuration write them.
 */
final class Values
{
    /**
     * On or off; null where the old code and its reader could differ: "off" is true for PHP.
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
     * Companies, as a list or as text with commas; as array keys are, each once.
     *
     * @return ?list<int|string> null where there is something else among them, such as a list within the list
     */
    public static function companies(mixed $value): ?array
    {
        $items = \is_array($value) ? $value : \explode(',', \is_scalar($value) ? (string) $value : '');
        $companies = [];
        foreach ($items as $item) {
            if (!\is_int($item) && !\is_string($item)) {
                return null;
            }
            $item = \trim((string) $item);
            // A list with other separators, with quotes or brackets would be one company of that name.
            if (\preg_match('/[,;|\s\'"\[\]{}()]/', $item) === 1) {
                return null;
            }
            if ($item !== '') {
                $companies[$item] = true;
            }
        }

        return \array_keys($companies);
    }

    /** 0 to 100, or null where it is none. */
    public static function percentage(mixed $value): int|float|null
    {
        if (!\is_numeric($value) || $value < 0 || $value > 100) {
            return null;
        }

        return (float) $value == (int) $value ? (int) $value : (float) $value;
    }

    /** For messages. */
    public static function shown(mixed $value): string
    {
        $flags = \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_PARTIAL_OUTPUT_ON_ERROR;
        $text = (string) \json_encode($value, $flags);

        return \mb_strlen($text) > 40 ? \mb_substr($text, 0, 40) . '…' : $text;
    }
}
