<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Events;

/**
 * Flags of this store were changed, by whomever and from wherever. Dispatched by `feature:notify`, at least once for each
 * change, in their order; after the process died in a listener, again.
 */
final class FlagChanged
{
    /**
     * @param string $id the same whenever it is dispatched
     * @param string $action as in audit.jsonl: publish, enable, kill, stop_all …
     * @param ?string $flag the flag of a word; a publish has them in `$differences`
     * @param list<array<array-key, mixed>> $differences field by field
     */
    public function __construct(
        public readonly string $id,
        public readonly string $at,
        public readonly string $environment,
        public readonly string $action,
        public readonly ?string $flag,
        public readonly string $user,
        public readonly string $machine,
        public readonly ?string $reason,
        public readonly int $generation,
        public readonly array $differences,
    ) {
    }

    /** A kill or a stop of everything, which is worth waking somebody. */
    public function isEmergency(): bool
    {
        return \in_array($this->action, ['kill', 'stop_all'], true);
    }
}
