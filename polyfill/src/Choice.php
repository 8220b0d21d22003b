<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * A test's choice: on or off, and the variant that goes with on.
 *
 * @internal
 */
final class Choice
{
    public function __construct(public readonly bool $on, public readonly ?string $variant = null)
    {
    }
}
