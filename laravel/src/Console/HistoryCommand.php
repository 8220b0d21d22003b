<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class HistoryCommand extends FlagCommand
{
    protected $signature = 'feature:history
        {--limit=20 : At most so many, 0 for all}
        {--json : Print JSON}';

    protected $description = 'List the changes, newest first: who, what, when, why';

    public function handle(Changer $changer): int
    {
        return $this->relay($changer, ['history', '--limit=' . ($this->text('limit') ?? '20')]);
    }
}
