<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Replacement;
use JsonException;
use RuntimeException;
use stdClass;

/**
 * JSON documents in the style of people: indented by two spaces, short values on one line.
 *
 * Objects are stdClass, so that an empty one stays an object.
 */
final class Json
{
    private const LINE = 90;

    /**
     * @return ?stdClass null if there is no such file
     * @throws RuntimeException if it cannot be read or is no JSON object
     */
    public static function read(string $path): ?stdClass
    {
        if (!@\file_exists($path) && !@\is_link($path)) {
            return null;
        }
        $text = @\is_file($path) ? @\file_get_contents($path) : false;
        if ($text === false) {
            throw new RuntimeException("cannot read $path");
        }
        try {
            $document = \json_decode($text, false, 512, \JSON_THROW_ON_ERROR);
        } catch (JsonException $error) {
            throw new RuntimeException("$path: {$error->getMessage()}, expected a JSON object", 0, $error);
        }

        return $document instanceof stdClass
            ? $document
            : throw new RuntimeException("$path: found no object, expected one with \"flags\"");
    }

    /**
     * Replaces the file: a concurrent reader sees the old content or the new.
     *
     * @throws RuntimeException if it cannot be written
     */
    public static function write(string $path, stdClass $document): void
    {
        Replacement::keeping($path, self::text($document) . "\n");
    }

    /**
     * @param array<array-key, mixed> $flags definitions by key, which replace the file's; all other text stays
     * @throws RuntimeException if it cannot be read or written
     */
    public static function writeFlags(string $path, stdClass $document, array $flags): void
    {
        Replacement::keeping($path, self::withFlags($path, $document, $flags));
    }

    /**
     * The text that writeFlags() writes.
     *
     * @param array<array-key, mixed> $flags
     * @throws RuntimeException if the file cannot be read
     */
    public static function withFlags(string $path, stdClass $document, array $flags): string
    {
        $text = @\is_file($path) ? @\file_get_contents($path) : null;
        if ($text === false) {
            throw new RuntimeException("cannot read $path");
        }

        return ($text === null ? null : JsonEdit::flags($text, $flags)) ?? self::text($document) . "\n";
    }

    /** @param int $blocks number of levels with a line for each member, however short */
    public static function text(mixed $value, string $indent = '', int $blocks = 2): string
    {
        $line = self::line($value);
        if (!\is_object($value) && !\is_array($value) || ($blocks <= 0 && \strlen($indent . $line) <= self::LINE)) {
            return $line;
        }
        $members = \is_object($value) ? \get_object_vars($value) : $value;
        $flat = \is_array($value) && \array_filter($value, static fn (mixed $item): bool => !\is_scalar($item)) === [];
        if ($members === [] || $flat) {
            return $line;
        }
        $inner = "$indent  ";
        $parts = [];
        foreach ($members as $key => $member) {
            $name = \is_object($value) ? self::scalar((string) $key) . ': ' : '';
            $parts[] = $inner . $name . self::text($member, $inner, $blocks - 1);
        }
        [$open, $close] = \is_object($value) ? ['{', '}'] : ['[', ']'];

        return "$open\n" . \implode(",\n", $parts) . "\n$indent$close";
    }

    private static function line(mixed $value): string
    {
        if (\is_array($value)) {
            return '[' . \implode(', ', \array_map(self::line(...), $value)) . ']';
        }
        if (!\is_object($value)) {
            return self::scalar($value);
        }
        $members = [];
        foreach (\get_object_vars($value) as $key => $member) {
            $members[] = self::scalar((string) $key) . ': ' . self::line($member);
        }

        return $members === [] ? '{}' : '{ ' . \implode(', ', $members) . ' }';
    }

    private static function scalar(mixed $value): string
    {
        if (\is_float($value) && \is_finite($value)) {
            return self::float($value);
        }

        return \json_encode($value, \JSON_THROW_ON_ERROR | \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE);
    }

    /** The shortest text that reads as this float, whatever serialize_precision says. */
    private static function float(float $value): string
    {
        $text = '0.0';
        foreach ([15, 16, 17] as $digits) {
            $text = \sprintf("%.{$digits}H", $value);
            if ((float) $text === $value) {
                break;
            }
        }

        return \strpbrk($text, '.E') === false ? "$text.0" : $text;
    }
}
