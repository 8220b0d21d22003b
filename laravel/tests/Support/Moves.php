<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

/** Counts how often the driver behind it was told to move. */
final class Moves extends PassesOn
{
    public int $count = 0;

    public function refresh(): bool
    {
        ++$this->count;

        return parent::refresh();
    }
}
