<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class DenyCommand extends FlagCommand
{
    protected $signature = 'feature:deny
        {flag : The flag\'s key}
        {company?* : The companies}' . self::EDIT . self::FROM_FILE . self::LITERAL . self::BY . self::REACH . self::YES;

    protected $description = 'Keep companies out, whatever else the flag says';

    public function handle(Changer $changer): int
    {
        return $this->changeListed($changer, 'deny');
    }
}
