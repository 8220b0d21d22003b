<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Illuminate\Contracts\Foundation\Application as Contract;
use Illuminate\Foundation\Application;

/**
 * The providers that an application has loaded, by class: what other packages are there.
 *
 * @internal
 */
final class Loaded
{
    /** @return array<array-key, mixed> */
    public static function providers(Contract $app): array
    {
        return $app instanceof Application ? $app->getLoadedProviders() : [];
    }
}
