<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Tests\Support\Store;

/**
 * A package for tenants moves the path of storage, and may change configuration, in the middle of a request. The
 * store is the whole application's.
 */
final class TenantStorageTest extends TestCase
{
    public function test_a_tenant_that_moves_storage_and_configuration_moves_no_store(): void
    {
        $this->publish(['everyone' => true]);
        $this->refreshApplication();
        $this->app->useStoragePath('/nonexistent/tenant-15');
        $this->app->make('config')->set('flagstone', [
            'driver' => 'file', 'file' => '/nonexistent/flags.json', 'store' => \storage_path('flagstone'),
        ]);

        $this->assertTrue(Flagstone::enabled('everyone'));
        $this->assertTrue(\feature_enabled('everyone'), 'the global functions, too');
        $this->assertSame(Store::path(), $this->app->make(Changer::class)->directory(), 'and commands change the same');
        Flagstone::driver()->refresh();
        $this->assertTrue(Flagstone::enabled('everyone'));
    }
}
