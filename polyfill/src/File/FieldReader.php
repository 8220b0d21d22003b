<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\Time;

/**
 * Reads single values of a document, and reports a value of another kind. An invalid value is returned as null.
 *
 * @internal
 */
final class FieldReader
{
    public const PERCENTAGE = 'a number from 0 to 100 with up to three decimals';
    /** Maximum bytes of a name, a salt or an operand. */
    private const NAME = 1024;

    public function __construct(public readonly Findings $findings)
    {
    }

    /** @param list<int|string> $path */
    public function mismatch(mixed $value, array $path, string $expected, ?string $hint = null): void
    {
        $this->findings->error($path, 'found ' . self::found($value) . ", expected $expected", $hint);
    }

    /**
     * The values of an object by its permitted keys. All others are reported; null if it is no object.
     *
     * @param list<int|string> $path
     * @param list<string> $names
     * @return ?array<string, mixed>
     */
    public function fields(mixed $value, array $path, array $names, string $expected): ?array
    {
        if (!$value instanceof \stdClass) {
            $this->mismatch($value, $path, $expected);

            return null;
        }
        $fields = [];
        foreach ((array) $value as $name => $field) {
            $name = (string) $name;
            if (\in_array($name, $names, true)) {
                $fields[$name] = $field;
            } elseif ($name !== '$comment') {
                $message = 'found the unknown key "' . Findings::clip($name) . '", expected one of ' . \implode(', ', $names);
                $this->findings->error([...$path, $name], $message, Findings::suggestion($name, $names));
            }
        }

        return $fields;
    }

    /**
     * The members of an object whose keys are chosen by people.
     *
     * @param list<int|string> $path
     * @return array<array-key, mixed>
     */
    public function entries(mixed $value, array $path, string $expected): array
    {
        if (!$value instanceof \stdClass) {
            $this->mismatch($value, $path, $expected);

            return [];
        }
        $entries = (array) $value;
        unset($entries['$comment']);

        return $entries;
    }

    /** @param list<int|string> $path */
    public function missing(array $path, string $key, string $expected): void
    {
        $this->findings->error($path, "found no \"$key\", expected $expected");
    }

    /**
     * @param list<int|string> $path
     * @return ?list<mixed>
     */
    public function items(mixed $value, array $path, string $expected): ?array
    {
        if (\is_array($value)) {
            return \array_values($value);
        }
        $this->mismatch($value, $path, $expected);

        return null;
    }

    /** @param list<int|string> $path */
    public function string(mixed $value, array $path, string $expected): ?string
    {
        if (\is_string($value)) {
            return $value;
        }
        $this->mismatch($value, $path, $expected);

        return null;
    }

    /**
     * A string that is not empty and within the limit of names; `$what` says which name.
     *
     * @param list<int|string> $path
     */
    public function name(mixed $value, array $path, string $what): ?string
    {
        $name = $this->string($value, $path, "a $what, a string");

        return $name !== null && $this->isName($name, $path, $what) ? $name : null;
    }

    /** @param list<int|string> $path */
    public function isName(string $name, array $path, string $what): bool
    {
        $isValid = $name !== '' && \strlen($name) <= self::NAME;
        if (!$isValid) {
            $this->findings->error($path, "found a $what of " . \strlen($name) . ' bytes, expected 1 to ' . self::NAME);
        }

        return $isValid;
    }

    /**
     * A string to compare with.
     *
     * @param list<int|string> $path
     */
    public function text(mixed $value, array $path): ?string
    {
        $text = $this->string($value, $path, 'a string');
        if ($text !== null && \strlen($text) > self::NAME) {
            $this->findings->error($path, 'found a string of ' . \strlen($text) . ' bytes, expected at most ' . self::NAME);
        }

        return $text;
    }

    /** @param list<int|string> $path */
    public function boolean(mixed $value, array $path): ?bool
    {
        if (\is_bool($value)) {
            return $value;
        }
        $this->mismatch($value, $path, 'true or false');

        return null;
    }

    /**
     * Reads a percentage, in thousandths.
     *
     * @param list<int|string> $path
     */
    public function percentage(mixed $value, array $path): ?int
    {
        if (\is_int($value) && $value >= 0 && $value <= 100) {
            return $value * 1000;
        }
        if (\is_float($value) && $value >= 0.0 && $value <= 100.0) {
            $thousandths = (int) \round($value * 1000.0);
            // The quotient is the float nearest to the decimal, and so is the one that was read.
            if ($thousandths / 1000 == $value) {
                return $thousandths;
            }
        }
        $this->mismatch($value, $path, self::PERCENTAGE);

        return null;
    }

    /**
     * Reads a time as microseconds since 1970.
     *
     * @param list<int|string> $path
     */
    public function time(mixed $value, array $path): ?int
    {
        $expected = 'a time with an offset (RFC 3339), such as "2026-12-01T08:00:00Z"';
        $text = $this->string($value, $path, $expected);
        $time = $text === null ? null : Time::parse($text);
        if ($text !== null && $time === null) {
            $this->mismatch($text, $path, $expected);
        }

        return $time;
    }

    /**
     * Reads one of several words.
     *
     * @param list<int|string> $path
     * @param list<string> $words
     */
    public function choice(mixed $value, array $path, array $words): ?string
    {
        $expected = '"' . \implode('" or "', $words) . '"';
        $word = $this->string($value, $path, $expected);
        if ($word !== null && !\in_array($word, $words, true)) {
            $this->mismatch($word, $path, $expected, Findings::suggestion($word, $words));
        }

        return $word;
    }

    /** Shows a value to people. */
    private static function found(mixed $value): string
    {
        return match (true) {
            \is_string($value) => '"' . Findings::clip($value) . '"',
            \is_array($value) => $value === [] ? 'an empty list' : 'a list',
            \is_object($value) => 'an object',
            default => (string) \json_encode($value, \JSON_PRESERVE_ZERO_FRACTION | \JSON_PARTIAL_OUTPUT_ON_ERROR),
        };
    }
}
