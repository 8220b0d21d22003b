<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;

final class RollbackCommand extends FlagCommand
{
    protected $signature = 'feature:rollback
        {--to= : What this generation held; without it, the one before the current}
        {--expect-generation= : Refuse unless this generation is still the current one}
        {--reason= : Why, for the audit trail}
        {--dry-run : Show what would change, and change nothing}
        {--json : Print JSON}' . self::BY . self::REACH . self::YES;

    protected $description = 'Publish again what an earlier generation held, for all flags';

    public function handle(Changer $changer): int
    {
        $arguments = ['rollback', ...$this->typedOptions('to', 'expect-generation', 'reason')];
        if (!$this->option('dry-run') && $this->asks($changer)) {
            $would = $changer->command([...$arguments, ...$this->common(), '--dry-run']);
            if ($would->code !== Result::DONE) {
                return $this->finish($would);
            }
            if (!$this->agreed($would->text, 'Roll back?')) {
                return Result::REFUSED;
            }
            $arguments[] = '--yes';
        }

        return $this->relay($changer, [...$arguments, ...$this->typedOptions('dry-run')]);
    }
}
