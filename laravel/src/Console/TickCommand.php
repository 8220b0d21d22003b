<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

/**
 * For Laravel's scheduler, if `flagstone run` does not run. Several at once do no harm.
 */
final class TickCommand extends FlagCommand
{
    protected $signature = 'feature:tick
        {--at= : As of this time instead of now, to try a plan out: 2026-12-01T08:00:00Z}
        {--dry-run : Show what would be done, and change nothing}
        {--json : Print JSON}';

    protected $description = 'Move all rollout plans whose time has come, once';

    public function handle(Changer $changer): int
    {
        return $this->relay($changer, ['plan tick', ...$this->typedOptions('at', 'dry-run')]);
    }
}
