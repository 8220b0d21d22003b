<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use LogicException;

/**
 * A flag was asked for, and the current company cannot be determined. The flag is off: asked for no company it could be on for a
 * company that is denied.
 */
final class UnknownCompany extends LogicException
{
    private function __construct(string $message, public readonly string $flag)
    {
        parent::__construct($message);
    }

    public static function of(string $flag, string $problem): self
    {
        return new self("Flag \"$flag\" is off: cannot determine the company that asks: $problem", $flag);
    }
}
