<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class StopAllCommand extends FlagCommand
{
    protected $signature = 'feature:stop-all
        {--reason= : Why; whoever finds flags off will read it}
        {--json : Print JSON}' . self::BY . self::REACH . self::YES;

    protected $description = 'Turn every flag off at once, but those whose emergency is "keep"';

    public function handle(Changer $changer): int
    {
        $reason = $this->text('reason') ?? ($this->input->isInteractive() ? $this->ask('Why?') : null);
        if (!\is_string($reason) || \trim($reason) === '') {
            return $this->refuse('--reason is missing: whoever finds the flags off will read it');
        }

        if (!$this->isSure() && !$changer->isFile()) {
            $environment = (string) $changer->environment();
            if ($this->isJson() || !$this->input->isInteractive()) {
                return $this->refuse("nothing was stopped in $environment: nobody is there to be asked; add --yes");
            }
            $typed = $this->ask("This stops $environment. Type the environment's name");
            if ($typed !== $environment) {
                return $this->refuse("expected \"$environment\", the store's environment; nothing was stopped");
            }
        }

        return $this->relay($changer, ['stop-all', ...($this->isSure() ? [] : ['--yes']), "--reason=$reason"]);
    }
}
