<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use ArrayObject;

/** Says whose company a scope is that only the application knows. */
final class SiteScope
{
    /** @param ArrayObject<int, int> $site */
    public function __invoke(ArrayObject $site): int
    {
        return $site[0];
    }
}
