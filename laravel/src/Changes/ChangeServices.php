<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Config;
use Flagstone\Laravel\DotenvFile;
use Flagstone\Laravel\Flagstone;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Support\Env;

/**
 * Registers the services that change flags, and ask the command about them, with the container.
 *
 * @internal
 */
final class ChangeServices
{
    private const STORE = 'FLAGSTONE_STORE';

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
            self::names($app, $config->namedStore($app)),
            new Companies($config->get('companies'), $app),
            static fn (): ?string => self::user($app),
        ));
    }

    /** The stores that the process's environment and .env name, whichever of them the configuration has read. */
    private static function names(Application $app, ?string $configured): StoreNames
    {
        $isCached = $app->configurationIsCached();
        // In a web request that store is meant which answers there.
        $dotenv = $app->runningInConsole() && $app instanceof \Illuminate\Foundation\Application ? DotenvFile::values($app, $isCached) : [];

        return new StoreNames(
            $configured,
            self::path($app, Env::getRepository()->get(self::STORE)),
            self::path($app, $dotenv[self::STORE] ?? null),
            $isCached,
        );
    }

    private static function path(Application $app, ?string $store): ?string
    {
        $store = \trim((string) $store);

        return match (true) {
            // As env() reads them.
            \in_array(\strtolower($store), ['', 'null', '(null)', 'empty', '(empty)'], true) => null,
            \str_starts_with($store, '/') => $store,
            default => $app->basePath($store),
        };
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
