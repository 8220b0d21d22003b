<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;

final class RolloutCommand extends FlagCommand
{
    protected $signature = 'feature:rollout
        {flag : The flag\'s key}
        {percentage : From 0 to 100, with up to three decimals}' . self::EDIT . self::BY . self::REACH . self::YES;

    protected $description = 'Give a flag another percentage';

    public function handle(Changer $changer): int
    {
        return $this->change($changer, 'rollout', ['percentage' => $this->word('percentage')]);
    }
}
