<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

/**
 * A closure or job that acts for a subject, from its begin to its end.
 *
 * @internal
 */
final class Acting
{
    /** @var array<string, true> resolvers' sources that were set since its start: a user signed in, a tenant became current */
    public array $changed = [];

    /** @var ?list<mixed> tenants at its start; null before it: what is set until then is a job's surroundings */
    public ?array $tenants = null;

    /** Users known at its start to be signed in, or looked up since; null if no company depends on them. */
    public ?AuthState $users = null;

    /** Users known at the last look. */
    public ?AuthState $auth = null;

    /**
     * @param int $waiting number of callbacks that waited, at its start, for the end of the request
     * @param int $deferred number of deferred functions that did
     * @param array<int, int> $afterCommit number of callbacks that waited, at its start, for the commit, by the transaction's object id
     */
    public function __construct(
        public readonly Subject $subject,
        public readonly int $waiting,
        public readonly int $deferred,
        public readonly array $afterCommit,
    ) {
    }

    /** @param list<mixed> $tenants the current ones */
    public function start(array $tenants, ?AuthState $users): void
    {
        $this->tenants = $tenants;
        $this->users = $this->auth = $users;
    }
}
