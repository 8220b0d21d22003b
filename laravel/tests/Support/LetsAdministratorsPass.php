<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Contracts\Auth\Access\Gate;
use Illuminate\Support\ServiceProvider;

/** As packages of roles have it. */
final class LetsAdministratorsPass extends ServiceProvider
{
    public function boot(): void
    {
        $this->app->make(Gate::class)->before(static fn (): bool => true);
    }
}
