<?php

declare(strict_types=1);

namespace Laravel\Pennant\Contracts;

/** Stands for Pennant 1.18's contract of that name. */
interface CanListStoredFeatures
{
    public function stored(): array;
}
