<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Http\CheckFeatureFlag;
use Illuminate\Contracts\Foundation\Application;

/**
 * The middleware guards a Livewire component's later requests as it does the page's.
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
