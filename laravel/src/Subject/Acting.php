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

    /**
     * @param int $waiting number of callbacks that waited, at its start, for the end of the request
     * @param int $deferred number of deferred functions that did
     * @param array<int, int> $afterCommit number of callbacks that waited, at its start, for the commit, by the transaction's object id
     * @param ?AuthState $auth users known to be signed in; null if no company depends on them
     */
    public function __construct(
        public readonly Subject $subject,
        public readonly int $waiting,
        public readonly int $deferred,
        public readonly array $afterCommit,
        public ?AuthState $auth,
    ) {
    }
}
