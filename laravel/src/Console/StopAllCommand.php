<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class StopAllCommand extends FlagCommand
{
    protected $signature = 'feature:stop-all
        {--reason= : Why; whoever finds flags off will read it}
        {--json : Print JSON}';

    protected $description = 'Turn every flag off at once, but those whose emergency is "keep"';

    public function handle(Changer $changer): int
    {
        $reason = $this->text('reason') ?? ($this->input->isInteractive() ? $this->ask('Why?') : null);
        if (!\is_string($reason) || \trim($reason) === '') {
            return $this->refuse('--reason is missing: whoever finds the flags off will read it');
        }

        return $this->relay($changer, ['stop-all', '--yes', "--reason=$reason"]);
    }
}
