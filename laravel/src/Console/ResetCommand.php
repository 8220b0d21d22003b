<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class ResetCommand extends FlagCommand
{
    protected $signature = 'feature:reset
        {flag? : The flag\'s key}
        {--all : All flags}';

    protected $description = 'Take back this copy\'s own changes of a flag, made where flags.json answers';

    public function handle(Changer $changer): int
    {
        $flag = $this->word('flag');
        if (($flag === null) === !$this->option('all')) {
            return $this->refuse('expected one of both: a flag\'s key, or --all');
        }

        return $this->finish($changer->reset($flag));
    }
}
