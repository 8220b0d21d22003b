<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use stdClass;

/**
 * Typed reads of a decoded JSON document at a path of names; another type counts as absent.
 *
 * @internal
 */
final class Value
{
    public static function at(mixed $document, string ...$path): mixed
    {
        foreach ($path as $name) {
            $document = match (true) {
                $document instanceof stdClass => $document->{$name} ?? null,
                \is_array($document) => $document[$name] ?? null,
                default => null,
            };
        }

        return $document;
    }

    public static function object(mixed $document, string ...$path): ?stdClass
    {
        $value = self::at($document, ...$path);

        return $value instanceof stdClass ? $value : null;
    }

    /** @return array<array-key, mixed> empty if there is none */
    public static function items(mixed $document, string ...$path): array
    {
        $value = self::at($document, ...$path);

        return \is_array($value) ? $value : [];
    }

    /** @return array<string, mixed> those of the items that have names */
    public static function named(mixed $document, string ...$path): array
    {
        $named = [];
        foreach (self::items($document, ...$path) as $name => $value) {
            if (\is_string($name)) {
                $named[$name] = $value;
            }
        }

        return $named;
    }

    /** @return list<string> those of the items that are texts */
    public static function texts(mixed $document, string ...$path): array
    {
        return \array_values(\array_filter(self::items($document, ...$path), is_string(...)));
    }

    /** @return list<int|string> those of the items that are integers or texts */
    public static function keys(mixed $document, string ...$path): array
    {
        $keys = [];
        foreach (self::items($document, ...$path) as $item) {
            if (\is_int($item) || \is_string($item)) {
                $keys[] = $item;
            }
        }

        return $keys;
    }

    public static function text(mixed $document, string ...$path): ?string
    {
        $value = self::at($document, ...$path);

        return \is_string($value) ? $value : null;
    }

    /** A text, or a number as text: an id from any column. */
    public static function word(mixed $document, string ...$path): ?string
    {
        $value = self::at($document, ...$path);

        return \is_string($value) || \is_int($value) || \is_float($value) ? (string) $value : null;
    }

    public static function number(mixed $document, string ...$path): int|float|null
    {
        $value = self::at($document, ...$path);

        return \is_int($value) || \is_float($value) ? $value : null;
    }

    public static function int(mixed $document, string ...$path): ?int
    {
        $value = self::at($document, ...$path);

        return \is_int($value) ? $value : null;
    }

    public static function bool(mixed $document, string ...$path): ?bool
    {
        $value = self::at($document, ...$path);

        return \is_bool($value) ? $value : null;
    }
}
