<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use InvalidArgumentException;

/**
 * A setting of config/flagstone.php is none that it could be.
 */
final class InvalidSetting extends InvalidArgumentException
{
    /** @param list<string> $known what it could be */
    public static function unknown(string $key, string $found, array $known): self
    {
        return new self("config/flagstone.php: $key is \"$found\", expected " . \implode(', ', $known) . ' or null');
    }

    public static function wrongType(string $key, mixed $found, string $expected): self
    {
        return new self("config/flagstone.php: $key is " . \get_debug_type($found) . ", expected $expected");
    }
}
