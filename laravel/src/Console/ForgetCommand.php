<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class ForgetCommand extends FlagCommand
{
    protected $signature = 'feature:forget
        {flag : The flag\'s key}
        {company?* : The companies}' . self::EDIT . self::FROM_FILE . self::LITERAL . self::BY . self::REACH . self::YES;

    protected $description = 'Take companies out of both lists';

    public function handle(Changer $changer): int
    {
        return $this->changeListed($changer, 'forget');
    }
}
