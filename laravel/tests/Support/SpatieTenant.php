<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Illuminate\Support\Facades\Event;
use stdClass;

/** What spatie/laravel-multitenancy does when another tenant becomes current. */
final class SpatieTenant
{
    public static function makeCurrent(?int $id): void
    {
        \app()->forgetInstance('currentTenant');
        Event::dispatch('Spatie\Multitenancy\Events\ForgotCurrentTenantEvent', [new stdClass()]);
        if ($id !== null) {
            \app()->instance('currentTenant', $id);
            Event::dispatch('Spatie\Multitenancy\Events\MadeTenantCurrentEvent', [new stdClass()]);
        }
    }

    /** Tenant::execute(): the tenant that was current before is again afterwards. */
    public static function execute(int $id, Closure $do): mixed
    {
        $before = \app()->bound('currentTenant') ? \app('currentTenant') : null;
        self::makeCurrent($id);
        try {
            return $do();
        } finally {
            self::makeCurrent($before);
        }
    }
}
