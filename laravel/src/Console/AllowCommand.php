<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class AllowCommand extends FlagCommand
{
    protected $signature = 'feature:allow
        {flag : The flag\'s key}
        {company?* : The companies}' . self::EDIT . self::FROM_FILE . self::LITERAL . self::BY . self::REACH . self::YES;

    protected $description = 'Let companies in, whatever the percentage';

    public function handle(Changer $changer): int
    {
        return $this->changeListed($changer, 'allow');
    }
}
