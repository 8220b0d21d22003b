<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class IncidentCommand extends FlagCommand
{
    protected $signature = 'feature:incident
        {--since= : From then on instead of an hour ago: a time, or 20m, 2h back}
        {--json : Print JSON}';

    protected $description = 'Say on one page what fails, what is off, and what changed before it began';

    public function handle(Changer $changer): int
    {
        return $this->relay($changer, ['incident', ...$this->typedOptions('since')]);
    }
}
