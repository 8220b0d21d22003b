<?php

declare(strict_types=1);

namespace Laravel\Pennant\Contracts;

/** Stands for the contract of that name. */
interface CanListStoredFeatures
{
    public function stored(): array;
}
