<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Illuminate\Contracts\Foundation\Application as Contract;
use Illuminate\Foundation\Application;

/**
 * The service providers that an application has loaded, by class, which show the installed packages.
 *
 * @internal
 */
final class LoadedProviders
{
    /** @return array<array-key, mixed> */
    public static function of(Contract $app): array
    {
        return $app instanceof Application ? $app->getLoadedProviders() : [];
    }
}
