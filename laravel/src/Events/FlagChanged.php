<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Events;

/**
 * Flags of this store were changed, by any author and from any place. Dispatched by `feature:announce`, at least once for each
 * change, in their order; again if the process died in a listener.
 */
final class FlagChanged
{
    /**
     * @param string $id the same whenever it is dispatched, and unique among all stores; webhooks of the store have it too
     * @param string $action in the form of audit.jsonl: publish, enable, kill, stop_all …
     * @param ?string $flag the changed flag; a publish has its flags in `$differences`
     * @param list<array<array-key, mixed>> $differences field by field
     * @param ?string $account the account that the change was made by, if `$user` is the name of a person
     * @param bool $claimed true if a request to the store's agent named the person: the account alone is known for sure
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
        public readonly ?string $account = null,
        public readonly bool $claimed = false,
    ) {
    }

    /** True for a kill or a stop of everything, which is worth an alarm. */
    public function isEmergency(): bool
    {
        return \in_array($this->action, ['kill', 'stop_all'], true);
    }
}
