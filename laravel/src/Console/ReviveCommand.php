<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class ReviveCommand extends FlagCommand
{
    protected $signature = 'feature:revive
        {flag : The flag\'s key}
        {--reason= : Why, for the audit trail}
        {--json : Print JSON}' . self::BY . self::REACH;

    protected $description = 'Let a killed flag answer again';

    public function handle(Changer $changer): int
    {
        return $this->relay($changer, ['revive', ...$this->typedOptions('reason'), '--', $this->flag()]);
    }
}
