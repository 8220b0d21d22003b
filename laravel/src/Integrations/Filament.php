<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Illuminate\Contracts\Foundation\Application;

/**
 * Adds ->feature('key') to parts of Filament that can be hidden.
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
