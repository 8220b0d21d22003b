<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Answer that a test sets: on or off, and the variant that goes with on.
 *
 * @internal
 */
final class TestAnswer
{
    public function __construct(public readonly bool $on, public readonly ?string $variant = null)
    {
    }
}
