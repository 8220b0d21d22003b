<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Config;
use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;

/**
 * Shares with Inertia's pages the flags named by `share` in config/flagstone.php, and no others.
 *
 * @internal
 */
final class Inertia
{
    public function register(Application $app): void
    {
        if (Config::atBoot($app, [], static fn (): array => Config::of($app)->flags('share')) === []) {
            return;
        }
        $flags = static fn (): object => Container::getInstance()->make(SharedFlags::class)->jsonSerialize();
        $share = static fn () => ('Inertia\Inertia')::share('features', $flags);
        $share();
        // Octane resets Inertia before each request; its own listener was registered first.
        $app->make('events')->listen('Laravel\Octane\Events\RequestReceived', $share);
    }
}
