<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Testing;

/**
 * A faked flag that is on and shows this variant, with a value that need not be in any definitions.
 */
final class Variant
{
    public function __construct(public readonly string $name, public readonly mixed $value = null)
    {
    }
}
