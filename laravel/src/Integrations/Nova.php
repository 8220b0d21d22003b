<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Illuminate\Contracts\Foundation\Application;

/**
 * ->feature('key') on what Nova can hide.
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
