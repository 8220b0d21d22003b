<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use RuntimeException;

/**
 * Where a team has its flags until now.
 */
interface Source
{
    /** @throws RuntimeException where it cannot be read at all */
    public function read(): Found;
}
