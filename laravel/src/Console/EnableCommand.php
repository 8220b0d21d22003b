<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class EnableCommand extends FlagCommand
{
    protected $signature = 'feature:enable
        {flag : The flag\'s key}
        {--percentage= : For so many, 0 to 100, which is everybody}
        {--company=* : For this company; of a flag that is off it makes a pilot: nobody else}' . self::EDIT . self::LITERAL . self::BY . self::REACH . self::YES;

    protected $description = 'Turn a flag on: as it was before feature:disable, for a percentage or companies';

    public function handle(Changer $changer): int
    {
        return $this->change($changer, 'enable', [
            'percentage' => $this->text('percentage'),
            'companies' => $this->listed($this->option('company')),
        ]);
    }
}
