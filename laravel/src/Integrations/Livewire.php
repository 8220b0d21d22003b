<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Http\CheckFeatureFlag;
use Illuminate\Contracts\Foundation\Application;

/**
 * Makes the middleware guard a Livewire component's later requests, like the page's.
 *
 * @internal
 */
final class Livewire
{
    public function register(Application $app): void
    {
        ('Livewire\Livewire')::addPersistentMiddleware([CheckFeatureFlag::class]);
    }
}
