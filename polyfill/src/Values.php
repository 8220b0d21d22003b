<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Values of variants as PHP values.
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
    /** Deepest nesting. */
    private const DEPTH = 32;

    public static function at(Snapshot $snapshot, int $number, int $depth = 0): mixed
    {
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
                return $depth < self::DEPTH ? self::children($snapshot, $cell, $depth + 1) : null;
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
    private static function children(Snapshot $snapshot, array $cell, int $depth): array
    {
        $values = [];
        $at = $cell['payload'];
        for ($left = $cell['count']; $left > 0; --$left) {
            if ($cell['tag'] === self::LIST) {
                $values[] = self::at($snapshot, $at++, $depth);
            } else {
                $key = self::at($snapshot, $at++, $depth);
                $values[\is_string($key) ? $key : ''] = self::at($snapshot, $at++, $depth);
            }
        }

        return $values;
    }
}
