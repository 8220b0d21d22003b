<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Drivers;

use Flagstone\Laravel\Contracts\Driver;

/**
 * The state of the definitions that answer.
 *
 * @phpstan-import-type Status from Driver
 */
final class DefinitionState
{
    /**
     * Reason why a flag can exist that the driver does not know; null if it knows every flag, as of a readable store that is empty.
     *
     * @param Status $status
     */
    public static function problem(array $status): ?string
    {
        return match (true) {
            $status['source'] === 'current' => null,
            $status['source'] === 'none' && $status['head_generation'] === 0 => $status['last_error'],
            default => $status['last_error'] ?? "the newest definitions cannot be read (source: {$status['source']})",
        };
    }
}
