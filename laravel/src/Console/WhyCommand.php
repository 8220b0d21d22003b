<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Contracts\Driver;

final class WhyCommand extends ExplainCommand
{
    protected $signature = 'feature:why
        {flag : The flag\'s key}
        {--company= : For this company}
        {--context=* : A further attribute, plan=pro; may be given again}
        {--json : Print JSON}' . self::LITERAL;

    protected $description = 'Say in one sentence why a flag is on or off';

    protected function tell(array $answer, Driver $driver): void
    {
        $this->line($this->sentence($answer));
    }
}
