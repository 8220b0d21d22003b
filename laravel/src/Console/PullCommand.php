<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class PullCommand extends FlagCommand
{
    protected $signature = 'feature:pull
        {file? : The definitions; without it, those that config/flagstone.php names}
        {--dry-run : Show what would be written, and write nothing}
        {--json : Print JSON}';

    protected $description = 'Write what runs back into flags.json';

    public function handle(Changer $changer): int
    {
        $file = $this->word('file') ?? $this->config()->file($this->laravel);

        return $this->relay($changer, ['pull', ...$this->typedOptions('dry-run'), '--', $file]);
    }
}
