<?php

declare(strict_types=1);

namespace Laravel\Pennant\Concerns;

// Pennant 1.x: one method.
trait HasFeatures
{
    public function features(?string $store = null): string
    {
        return "Pennant's";
    }
}
