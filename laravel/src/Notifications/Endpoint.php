<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Closure;
use Flagstone\Laravel\Events\FlagChanged;

/**
 * Somebody who is told of changes, and has a place of their own in the trail.
 */
final class Endpoint
{
    /**
     * @param string $name lower-case letters; a file is named by it
     * @param ?list<string> $actions of these changes only, named as in audit.jsonl; null: of all
     * @param Closure(FlagChanged): mixed $tell throws where it could not
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
