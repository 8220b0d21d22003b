<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * What `memory_limit` leaves: a file that does not fit is refused, where reading it would end the request.
 *
 * @internal
 */
final class Memory
{
    /** Room for what is done with a file beside holding it; what is smaller than that is not asked about. */
    private const SLACK = 1 << 20;

    /** @throws Problem where that many bytes are not to be had */
    public static function reserve(int $bytes): void
    {
        $limit = self::limit(Settings::iniValue('memory_limit'));
        $left = $limit - (\function_exists('memory_get_usage') ? \memory_get_usage(true) : 0);
        if ($limit > 0 && $bytes > self::SLACK && $bytes + self::SLACK > $left) {
            throw new Problem("it takes $bytes bytes of memory, and memory_limit leaves $left; raise memory_limit");
        }
    }

    /** Bytes; 0 or less: no limit. As PHP reads `128M`. */
    private static function limit(string $setting): int
    {
        $setting = \trim($setting);
        $shift = ['k' => 10, 'm' => 20, 'g' => 30][\strtolower(\substr($setting, -1))] ?? 0;

        return (int) $setting << $shift;
    }
}
