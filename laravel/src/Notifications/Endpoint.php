<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Closure;
use Flagstone\Laravel\Events\FlagChanged;

/**
 * A receiver of changes, with its own place in the trail.
 */
final class Endpoint
{
    /**
     * @param string $name lower-case letters, which also name a file
     * @param ?list<string> $actions limits the changes, with the names of audit.jsonl; null: all
     * @param Closure(FlagChanged): mixed $tell throws if it could not
     */
    public function __construct(
        public readonly string $name,
        private readonly ?array $actions,
        private readonly Closure $tell,
    ) {
    }

    public function wants(FlagChanged $change): bool
    {
        return $this->actions === null || \in_array($change->action, $this->actions, true);
    }

    public function tell(FlagChanged $change): void
    {
        ($this->tell)($change);
    }
}
