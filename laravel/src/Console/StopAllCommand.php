<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;

final class StopAllCommand extends FlagCommand
{
    use StopsFlags;

    protected const REQUIRED = ['--reason'];

    protected $signature = 'feature:stop-all
        {--reason= : Why; whoever finds flags off will read it}
        {--json : Print JSON}' . self::BY . self::REACH . self::YES;

    protected $description = 'Turn every flag off at once, but those whose emergency is "keep"';

    public function handle(Changer $changer): int
    {
        $reason = $this->text('reason') ?? $this->typed('Why?');
        if (!\is_string($reason) || \trim($reason) === '') {
            return $this->misunderstood('--reason is missing: whoever finds the flags off will read it');
        }

        $this->nameStore($changer);
        // A change that could be meant for either of two stores is refused anyway.
        if (!$this->isSure() && !$changer->isFile() && $changer->otherStore() === null) {
            $head = "{$changer->directory()}/head";
            if (@\is_file($head) && !@\is_writable($head) && !$changer->hasAgent()) {
                return $this->finish(Result::unknown("cannot write $head; nothing was changed. Run it as the store's owner: sudo -u OWNER php artisan feature:stop-all …;"
                    . ' to stop only the machines that the store\'s config declares, add --yes'));
            }
            $environment = (string) $changer->environment();
            $typed = $this->isJson() ? null : $this->typed("This stops $environment. Type the environment's name");
            if ($typed === null) {
                return $this->refuse("expected the name of $environment, and nobody is there to be asked; add --yes");
            }
            if ($typed !== $environment) {
                return $this->refuse("expected \"$environment\", the store's environment");
            }
        }

        return $this->relay($changer, ['stop-all', ...($this->isSure() ? [] : ['--yes']), "--reason=$reason"]);
    }
}
