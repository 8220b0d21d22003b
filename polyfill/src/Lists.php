<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Finds keys in allow and deny lists. One probe, exact.
 *
 * @internal
 * @phpstan-import-type ListRecord from Snapshot
 */
final class Lists
{
    private const BITMAP = 1;
    private const TABLE = 2;
    /** The low 40 bits of a slot: the string's offset, plus one. */
    private const OFFSET = (1 << 40) - 1;

    public static function has(Snapshot $snapshot, int $list, int|string $key): bool
    {
        $record = $snapshot->listed($list);
        if ($record === null) {
            return false;
        }

        return \is_int($key) ? self::hasInt($snapshot, $record, $key) : self::hasText($snapshot, $record, $key);
    }

    public static function isEmpty(Snapshot $snapshot, int $list): bool
    {
        $record = $snapshot->listed($list);

        return $record === null || ($record['count'] === 0 && $record['textCount'] === 0);
    }

    /** @param ListRecord $list */
    private static function hasInt(Snapshot $snapshot, array $list, int $key): bool
    {
        $base = $list['base'];
        if ($list['ints'] === self::BITMAP) {
            // A difference past 2^63 becomes a float, beyond every bitmap.
            $bit = $key - $base;

            return $key >= $base && \is_int($bit) && $bit < $list['size'] && $snapshot->bit($list['words'], $bit);
        }
        if ($list['ints'] !== self::TABLE) {
            return false;
        }
        $slots = $list['size'];
        $at = Number::fibonacci($key, self::log2($slots));
        for ($probe = \min($list['probe'], $slots); $probe > 0; --$probe) {
            $found = $snapshot->word($list['words'] + $at);
            // Compared first, since the mark of an empty slot is a value that is not in the list.
            if ($found === $base) {
                return false;
            }
            if ($found === $key) {
                return true;
            }
            $at = ($at + 1) & ($slots - 1);
        }

        return false;
    }

    /** @param ListRecord $list */
    private static function hasText(Snapshot $snapshot, array $list, string $key): bool
    {
        $slots = $list['textSlots'];
        if ($slots === 0) {
            return false;
        }
        $hash = \unpack('J', \hash('xxh3', $key, true))[1];
        $at = $hash & ($slots - 1);
        for ($probe = \min($list['textProbe'], $slots); $probe > 0; --$probe) {
            $slot = $snapshot->word($list['textWords'] + $at);
            if ($slot === 0) {
                return false;
            }
            if (($slot ^ $hash) >> 40 === 0 && $snapshot->listedText(($slot & self::OFFSET) - 1) === $key) {
                return true;
            }
            $at = ($at + 1) & ($slots - 1);
        }

        return false;
    }

    /** @throws LoadError if it is not a power of two */
    private static function log2(int $power): int
    {
        if ($power <= 0 || ($power & ($power - 1)) !== 0) {
            throw new LoadError("a list of the snapshot has $power slots, expected a power of two");
        }
        for ($bits = 0; $power > 1; $power >>= 1) {
            ++$bits;
        }

        return $bits;
    }
}
