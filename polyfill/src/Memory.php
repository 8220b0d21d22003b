<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Checks `memory_limit`: a file that does not fit is refused, since reading it would end the request.
 *
 * @internal
 */
final class Memory
{
    /** Bytes for work beside the file itself; a smaller need is not checked. */
    private const SPARE_BYTES = 1 << 20;

    /** @throws LoadError if that many bytes are not available */
    public static function reserve(int $bytes): void
    {
        $limit = self::limit(Settings::iniValue('memory_limit'));
        $left = $limit - (\function_exists('memory_get_usage') ? \memory_get_usage(true) : 0);
        $needed = $bytes + self::SPARE_BYTES;
        if ($limit > 0 && $bytes > self::SPARE_BYTES && $needed > $left) {
            throw new LoadError("it takes $needed bytes of memory, and memory_limit leaves $left; raise memory_limit", LoadError::UNREAD);
        }
    }

    /** Reads a size such as `128M` as PHP does, in bytes; 0 or less means no limit. */
    private static function limit(string $setting): int
    {
        $setting = \trim($setting);
        $shift = ['k' => 10, 'm' => 20, 'g' => 30][\strtolower(\substr($setting, -1))] ?? 0;

        return (int) $setting << $shift;
    }
}
