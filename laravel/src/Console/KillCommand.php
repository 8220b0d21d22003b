<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class KillCommand extends FlagCommand
{
    use StopsFlags;

    protected const REQUIRED = ['--reason'];

    protected $signature = 'feature:kill
        {flag : The flag\'s key}
        {--reason= : Why; whoever finds the flag off will read it}
        {--force : Although no such flag is published}
        {--json : Print JSON}' . self::BY . self::REACH;

    protected $description = 'Turn a flag off at once, whatever is published, until it is revived';

    public function handle(Changer $changer): int
    {
        $reason = $this->text('reason') ?? $this->typed('Why?');
        if (!\is_string($reason) || \trim($reason) === '') {
            return $this->misunderstood('--reason is missing: whoever finds the flag off will read it');
        }

        $this->nameStore($changer);

        return $this->relay($changer, ['kill', "--reason=$reason", ...$this->typedOptions('force'), '--', $this->flag()]);
    }
}
