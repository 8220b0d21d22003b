<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use RuntimeException;

/**
 * A job was not done because a flag is off.
 */
final class FeatureIsOff extends RuntimeException
{
    private function __construct(string $message, public readonly string $flag, public readonly int|string|null $company)
    {
        parent::__construct($message);
    }

    /** @param ?string $problem reason why the company cannot be determined; null if it can */
    public static function for(string $flag, int|string|null $company, ?string $problem = null): self
    {
        $whom = match (true) {
            $problem !== null => "a company that cannot be determined: $problem",
            $company === null => 'no company',
            default => "company $company",
        };

        return new self("Not done: flag \"$flag\" is off for $whom", $flag, $company);
    }
}
