<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;

/** A controller whose page says whether a flag is on. */
final class AsksPortal
{
    public function page(): string
    {
        return Flagstone::enabled('portal') ? 'on' : 'off';
    }
}
