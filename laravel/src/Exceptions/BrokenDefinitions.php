<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use Flagstone\Laravel\Changes\JsonPlace;
use RuntimeException;

/**
 * flags.json, or the overlay, cannot be used, and there is no earlier good content. Thrown in development.
 */
final class BrokenDefinitions extends RuntimeException
{
    private function __construct(string $message, public readonly string $definitions)
    {
        parent::__construct($message);
    }

    /** @param string $problem with file, pointer, found and expected */
    public static function of(string $file, string $problem): self
    {
        $advice = @\is_file($file) ? 'Correct the file' : 'Write it with: php artisan feature:install';

        return new self('No flag can be answered: ' . JsonPlace::in($problem, $file) . "\n$advice.", $file);
    }
}
