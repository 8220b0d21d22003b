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
        $isNewest = $status['source'] === 'current' || ($status['source'] === 'none' && $status['head_generation'] === 0);

        // A process that runs keeps what it read, and says what it cannot read since.
        return $status['last_error'] ?? ($isNewest ? null : "the newest definitions cannot be read (source: {$status['source']})");
    }
}
