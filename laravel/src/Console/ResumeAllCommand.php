<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class ResumeAllCommand extends FlagCommand
{
    protected $signature = 'feature:resume-all
        {--reason= : Why, for the audit trail}
        {--force : Although kill slots are damaged, and the audit trail may lack kills}
        {--json : Print JSON}' . self::BY . self::REACH;

    protected $description = 'Let all flags answer again after a stop';

    public function handle(Changer $changer): int
    {
        return $this->relay($changer, ['resume-all', ...$this->typedOptions('reason', 'force')]);
    }
}
