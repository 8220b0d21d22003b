<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Illuminate\Contracts\Foundation\Application;

/**
 * Looks up the subject again after a package for tenants has found another.
 *
 * @internal
 */
final class TenantListeners
{
    private const CHANGES = [
        'Stancl\Tenancy\Events\TenancyInitialized',
        'Stancl\Tenancy\Events\TenancyEnded',
        'Spatie\Multitenancy\Events\MadeTenantCurrentEvent',
        'Spatie\Multitenancy\Events\ForgotCurrentTenantEvent',
        'Filament\Events\TenantSet',
    ];

    public function register(Application $app): void
    {
        $app->make('events')->listen(self::CHANGES, static fn () => LoginListeners::forget(Source::TENANT));
    }
}
