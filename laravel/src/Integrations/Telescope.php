<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Events\FeatureAsked;
use Illuminate\Contracts\Foundation\Application;

/**
 * Requests and exceptions are tagged in Telescope with the flags that were asked for.
 *
 * @internal
 */
final class Telescope
{
    public function register(Application $app): void
    {
        if (!$app->make('config')->get('telescope.enabled', true)) {
            return;
        }
        $app->make('events')->listen(FeatureAsked::class, AskedFlags::note(...));
        ('Laravel\Telescope\Telescope')::tag(
            static fn (object $entry): array => \in_array($entry->type, ['request', 'exception'], true) ? AskedFlags::tags() : [],
        );
    }
}
