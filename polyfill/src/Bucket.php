<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Buckets of rollouts. Frozen: a change here moves companies in and out of features.
 *
 * @internal
 */
final class Bucket
{
    /** Bucket of a key, 0 to 99,999. An int is hashed as 8 bytes, little-endian two's complement. */
    public static function of(int|string $key, int $seed): int
    {
        $hash = \hash('xxh3', \is_int($key) ? \pack('P', $key) : $key, true, ['seed' => $seed]);

        // The high 32 bits come first; times 100,000 they stay far below 2^63.
        return (\unpack('N', $hash)[1] * 100_000) >> 32;
    }

    /** `crc32(key) % 100` in thousandths of a percent. An int is hashed as its decimal digits. */
    public static function crc32(int|string $key): int
    {
        return \crc32((string) $key) % 100 * 1000;
    }

    /** Seed of a rollout: XXH3-64 of its salt. */
    public static function seed(string $salt): int
    {
        return \unpack('J', \hash('xxh3', $salt, true))[1];
    }
}
