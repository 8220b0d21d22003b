<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use RuntimeException;

/**
 * A job was not done because of a flag.
 */
final class FeatureIsOff extends RuntimeException
{
    private function __construct(string $message, public readonly string $flag, public readonly int|string|null $company)
    {
        parent::__construct($message);
    }

    public static function for(string $flag, int|string|null $company): self
    {
        $whom = $company === null ? 'no company' : "company $company";

        return new self("Not done: flag \"$flag\" is off for $whom", $flag, $company);
    }
}
