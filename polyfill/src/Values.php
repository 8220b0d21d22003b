<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Converts values of variants to PHP values.
 *
 * @internal
 */
final class Values
{
    private const BOOL = 1;
    private const INT = 2;
    private const FLOAT = 3;
    private const TEXT = 4;
    private const LIST = 5;
    private const MAP = 6;
    /** Maximum nesting. */
    private const DEPTH = 32;

    /** Reads a cell's value: no part twice, so no more parts than cells. */
    public static function at(Snapshot $snapshot, int $number): mixed
    {
        $parts = $snapshot->cells();

        return self::part($snapshot, $number, 0, $parts);
    }

    /** @throws LoadError if there are more parts */
    private static function part(Snapshot $snapshot, int $number, int $depth, int &$parts): mixed
    {
        if (--$parts < 0) {
            throw new LoadError('cells: found a part in two places, expected each in one: not written by a sound compiler');
        }
        $cell = $snapshot->cell($number);
        $payload = $cell['payload'];
        switch ($cell['tag']) {
            case self::BOOL:
                return $payload !== 0;
            case self::INT:
                return $payload;
            case self::FLOAT:
                return self::float($payload);
            case self::TEXT:
                return $snapshot->text($payload, $cell['count']);
            case self::LIST:
            case self::MAP:
                return $depth < self::DEPTH ? self::children($snapshot, $cell, $depth + 1, $parts) : null;
        }

        return null;
    }

    public static function float(int $bits): float
    {
        return \unpack('e', \pack('P', $bits))[1];
    }

    /**
     * @param array{tag: int, count: int, payload: int} $cell
     * @return array<array-key, mixed>
     */
    private static function children(Snapshot $snapshot, array $cell, int $depth, int &$parts): array
    {
        $values = [];
        $at = $cell['payload'];
        for ($left = $cell['count']; $left > 0; --$left) {
            if ($cell['tag'] === self::LIST) {
                $values[] = self::part($snapshot, $at++, $depth, $parts);
            } else {
                $key = self::part($snapshot, $at++, $depth, $parts);
                $values[\is_string($key) ? $key : ''] = self::part($snapshot, $at++, $depth, $parts);
            }
        }

        return $values;
    }
}
