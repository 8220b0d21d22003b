<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;

/**
 * Finds out anew who is asking when somebody signs in or out, or the tenant changes.
 *
 * @internal
 */
final class Registrar
{
    /** By name, since most applications have few of these packages. */
    private const CHANGES = [
        'Illuminate\Auth\Events\Authenticated',
        'Illuminate\Auth\Events\Login',
        'Illuminate\Auth\Events\Logout',
        'Illuminate\Auth\Events\CurrentDeviceLogout',
        'Stancl\Tenancy\Events\TenancyInitialized',
        'Stancl\Tenancy\Events\TenancyEnded',
        'Spatie\Multitenancy\Events\MadeTenantCurrentEvent',
        'Spatie\Multitenancy\Events\ForgotCurrentTenantEvent',
        'Filament\Events\TenantSet',
    ];

    public function register(Application $app): void
    {
        $app->make('events')->listen(self::CHANGES, static function (): void {
            // Where nobody has asked yet there is nothing to forget.
            $app = Container::getInstance();
            if ($app->resolved(Subjects::class)) {
                $app->make(Subjects::class)->forget();
            }
        });
    }
}
