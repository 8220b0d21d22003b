<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class HistoryCommand extends FlagCommand
{
    protected $signature = 'feature:history
        {--limit= : At most so many, 0 for all; without it 20}
        {--company= : List the flags whose answer for this company changed}
        {--at= : Of a company, before this time instead of now: 2026-12-01T08:00:00Z}
        {--hours= : Of a company, so many hours back; without it 24}
        {--json : Print JSON}' . self::LITERAL;

    protected $description = 'List the changes, newest first: who, what, when, why; for one company, the flags whose answer changed';

    public function handle(Changer $changer): int
    {
        return $this->relay($changer, ['history', ...$this->typedOptions('literal', 'limit', 'company', 'at', 'hours')]);
    }
}
