<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Config;
use Flagstone\Laravel\Flagstone;
use Illuminate\Contracts\Foundation\Application;

/**
 * Registers the services that change flags, and ask the command about them, with the container.
 *
 * @internal
 */
final class ChangeServices
{
    public function register(Application $app): void
    {
        // The values at boot, before a tenant changes them.
        $config = Config::of($app);
        $app->singleton(Binary::class, static fn (): Binary => new Binary($config->text('binary')));
        $folder = $app->storagePath() . '/framework/cache';
        $app->singleton(ResultCache::class, static fn (): ResultCache => new ResultCache($folder));
        $app->singleton(Overlay::class, static fn (Application $app): Overlay => new Overlay(
            $config->file($app),
            $config->overlay($app) ?? '',
            $config->text('environment') ?? (string) $app->environment(),
        ));
        $app->singleton(Changer::class, static fn (Application $app): Changer => new Changer(
            $app->make(Flagstone::class),
            $app->make(Binary::class),
            $app->make(Overlay::class),
            $config->store($app),
            new StoreNames($config->namedStore($app), self::typedStore($app)),
            new Companies($config->get('companies'), $app),
            static fn (): ?string => self::user($app),
        ));
    }

    /** The store of the environment, which a cached configuration passes over; null where the configuration has read it, or there is none. */
    private static function typedStore(Application $app): ?string
    {
        $typed = $app->configurationIsCached() ? (string) \getenv('FLAGSTONE_STORE') : '';

        return $typed === '' || \str_starts_with($typed, '/') ? ($typed ?: null) : $app->basePath($typed);
    }

    /** The name of the signed-in user: in a browser, the author of a change is not the account that serves the page. */
    private static function user(Application $app): ?string
    {
        $guard = $app->resolved('auth') ? $app->make('auth')->guard() : null;
        // Laravel's own guards show if they know already; finding out would be a query.
        $user = $guard !== null && \method_exists($guard, 'hasUser') && $guard->hasUser() ? $guard->user() : null;
        $name = $user === null ? null : \data_get($user, 'email') ?? \data_get($user, 'name') ?? $user->getAuthIdentifier();

        return \is_scalar($name) && \trim((string) $name) !== '' ? (string) $name : null;
    }
}
