<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Illuminate\Contracts\Foundation\Application;

/**
 * Adds ->feature('key') to parts of Nova that can be hidden.
 *
 * @internal
 */
final class Nova
{
    public function register(Application $app): void
    {
        Panels::addWord([
            'Laravel\Nova\Fields\Field' => 'canSee',
            'Laravel\Nova\Actions\Action' => 'canSee',
            'Laravel\Nova\Menu\MenuItem' => 'canSee',
            'Laravel\Nova\Menu\MenuSection' => 'canSee',
        ]);
    }
}
