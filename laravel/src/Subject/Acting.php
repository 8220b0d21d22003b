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
    /** @var array<string, true> sources of resolvers that were set since the begin: a user signed in, a tenant became current */
    public array $changed = [];

    /**
     * @param int $waiting callbacks that waited for the end of the request at the begin
     * @param int $deferred deferred functions that did
     * @param array<int, int> $afterCommit callbacks that waited for the commit, by the transaction's object id
     * @param ?AuthState $auth who was known to be signed in; null where no company depends on it
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
