<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Illuminate\Contracts\Foundation\Application;

/**
 * ->feature('key') on what Filament can hide.
 *
 * @internal
 */
final class Filament
{
    public function register(Application $app): void
    {
        Panels::addWord([
            'Filament\Support\Components\Component' => 'visible',
            'Filament\Navigation\NavigationItem' => 'visible',
        ]);
    }
}
