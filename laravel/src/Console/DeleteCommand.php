<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class DeleteCommand extends FlagCommand
{
    protected $signature = 'feature:delete
        {flag : The flag\'s key}
        {--reason= : Why, for the audit trail}
        {--expect-generation= : Refuse unless this generation is still the current one}
        {--dry-run : Show what would change, and change nothing}
        {--json : Print JSON}' . self::BY . self::REACH . self::YES;

    protected $description = 'Delete a flag that the published file no longer has';

    public function handle(Changer $changer): int
    {
        $arguments = ['delete', ...($this->option('dry-run') ? ['--dry-run'] : [])];
        foreach (['reason', 'expect-generation'] as $option) {
            if ($this->text($option) !== null) {
                $arguments[] = "--$option={$this->text($option)}";
            }
        }

        return $this->relay($changer, [...$arguments, '--', $this->flag()]);
    }
}
