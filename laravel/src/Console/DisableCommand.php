<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class DisableCommand extends FlagCommand
{
    protected $signature = 'feature:disable
        {flag : The flag\'s key}
        {--company=* : For this company only}' . self::EDIT . self::LITERAL . self::BY . self::REACH . self::YES;

    protected $description = 'Turn a flag off: for everybody, or for companies';

    public function handle(Changer $changer): int
    {
        return $this->change($changer, 'disable', ['companies' => $this->listed($this->option('company'))]);
    }
}
