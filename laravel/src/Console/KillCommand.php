<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class KillCommand extends FlagCommand
{
    protected $signature = 'feature:kill
        {flag : The flag\'s key}
        {--reason= : Why; whoever finds the flag off will read it}
        {--force : Although no such flag is published}
        {--json : Print JSON}' . self::BY . self::REACH;

    protected $description = 'Turn a flag off at once, whatever is published, until it is revived';

    public function handle(Changer $changer): int
    {
        $reason = $this->text('reason') ?? ($this->input->isInteractive() ? $this->ask('Why?') : null);
        if (!\is_string($reason) || \trim($reason) === '') {
            return $this->refuse('--reason is missing: whoever finds the flag off will read it');
        }
        $force = $this->option('force') ? ['--force'] : [];

        return $this->relay($changer, ['kill', "--reason=$reason", ...$force, '--', $this->flag()]);
    }
}
