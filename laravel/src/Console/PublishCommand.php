<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;

final class PublishCommand extends FlagCommand
{
    protected $signature = 'feature:publish
        {file? : The definitions; without it, those that config/flagstone.php names}
        {--base= : Refuse unless this generation is still the current one}
        {--force : Although that undoes what was changed since a file was last published}
        {--reason= : Why, for the audit trail}
        {--dry-run : Show what would change, and change nothing}
        {--yes : Do not ask, however many it turns off}
        {--json : Print JSON}' . self::BY . self::REACH;

    protected $description = 'Check, compile and publish flags.json as a new generation';

    public function handle(Changer $changer): int
    {
        $arguments = ['publish'];
        foreach (['base', 'reason'] as $option) {
            if ($this->text($option) !== null) {
                $arguments[] = "--$option={$this->text($option)}";
            }
        }
        foreach (['force', 'dry-run'] as $option) {
            if ($this->option($option)) {
                $arguments[] = "--$option";
            }
        }
        $file = (string) ($this->argument('file') ?? $this->laravel->make('config')->get('flagstone.file'));
        $code = $this->relay($changer, [...$arguments, '--', $file]);
        $asks = $this->input->isInteractive() && !$this->isJson() && !$this->option('dry-run');
        if ($code !== Result::REFUSED || !$asks) {
            return $code;
        }
        // It has said what it would undo, if that is why it was refused.
        $would = $changer->command([...$arguments, '--dry-run', '--', $file], true)->data();
        if (($would['undoes'] ?? []) === [] || !$this->confirm('Publish all the same?')) {
            return $code;
        }

        return $this->relay($changer, [...$arguments, '--force', "--base={$would['base']}", '--', $file]);
    }
}
