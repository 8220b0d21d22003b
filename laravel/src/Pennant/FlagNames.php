<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Flagstone\Laravel\Drivers\DefinitionState;
use Flagstone\Laravel\Flagstone;

/**
 * Names of Pennant's features that are Flagstone's: those of flags, of kills, and all others while not every flag is known.
 *
 * @internal
 */
final class FlagNames
{
    public function __construct(private readonly Flagstone $flagstone)
    {
    }

    public function has(string $feature): bool
    {
        // The state first: definitions that are read after it can only know more.
        $status = $this->flagstone->driver()->status();

        return !$this->isMissing($feature) || DefinitionState::problem($status) !== null || \in_array($feature, $status['killed'], true);
    }

    /** Reason why it is not known whether a flag has that name; null if it is known. */
    public function problem(string $feature): ?string
    {
        $problem = DefinitionState::problem($this->flagstone->driver()->status());

        return $this->isMissing($feature) ? $problem : null;
    }

    private function isMissing(string $feature): bool
    {
        return \in_array($this->flagstone->driver()->explain($feature)['reason'], ['unknown_flag', 'no_snapshot'], true);
    }
}
