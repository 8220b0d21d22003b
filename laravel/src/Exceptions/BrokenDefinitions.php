<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use RuntimeException;

/**
 * flags.json, or the overlay, cannot be used, and nothing was good before. Thrown where definitions are developed.
 */
final class BrokenDefinitions extends RuntimeException
{
    private function __construct(string $message, public readonly string $definitions)
    {
        parent::__construct($message);
    }

    /** @param string $problem with file, pointer, what was found and what was expected */
    public static function of(string $file, string $problem): self
    {
        $advice = \is_file($file) ? 'Correct the file' : 'Write it with: php artisan feature:install';

        return new self("No flag can be answered: $problem\n$advice.", $file);
    }
}
