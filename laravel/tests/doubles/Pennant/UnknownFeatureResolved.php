<?php

declare(strict_types=1);

namespace Laravel\Pennant\Events;

/** Stands for Pennant 1.18's event of that name. */
final class UnknownFeatureResolved
{
    public function __construct(public readonly string $feature, public readonly mixed $scope)
    {
    }
}
