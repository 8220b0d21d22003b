<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use RuntimeException;

/**
 * A team's present source of flags.
 */
interface Source
{
    /** @throws RuntimeException if it cannot be read at all */
    public function read(): ImportResult;
}
