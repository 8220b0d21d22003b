<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Config;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Foundation\Http\Events\RequestHandled;
use Illuminate\Routing\Events\RouteMatched;
use Illuminate\Routing\PendingResourceRegistration;
use Illuminate\Routing\PendingSingletonResourceRegistration;
use Illuminate\Routing\Route;
use Illuminate\Routing\Router;
use UnitEnum;

/**
 * Registers the middleware with the router.
 *
 * @internal
 */
final class RouteMiddleware
{
    /** Methods that begin a chain for a group of routes. */
    private const CHAINS = [
        'feature', 'as', 'controller', 'domain', 'middleware', 'name', 'namespace', 'prefix', 'scopeBindings', 'where', 'withoutMiddleware',
    ];

    public function register(Application $app): void
    {
        $config = Config::of($app);
        $router = $app->make('router');
        $debug = $app->make('config')->get('app.debug') ? true : false;
        $this->bind($app, $debug);
        $this->alias($router, Config::atBoot($app, null, static fn (): ?string => $config->text('middleware.alias')) ?? 'feature');
        (new Priority(Config::atBoot($app, [], static fn (): array => $config->texts('middleware.after'))))->register($app, $router);

        $events = $app->make('events');
        $events->listen(RouteMatched::class, static function (RouteMatched $event) use ($app): void {
            static $guard = null;
            $guard ??= $app->make(BeforeLogin::class);
            $guard->handle($event);
        });
        if ($debug) {
            $events->listen(RequestHandled::class, static function (RequestHandled $event): void {
                Container::getInstance()->make(DebugLine::class)->handle($event);
            });
        }

        Route::macro('feature', function (string|UnitEnum ...$flags): Route {
            /** @var Route $this */
            return $this->middleware(CheckFeatureFlag::using(...$flags));
        });
        $this->groups();
    }

    /**
     * Adds the macros for groups and resources. Laravel's chain for groups takes no macros: each method that begins one returns this
     * package's.
     */
    private function groups(): void
    {
        foreach (self::CHAINS as $name) {
            if (!Router::hasMacro($name)) {
                Router::macro($name, function (mixed ...$values) use ($name): GuardedRoutes {
                    /** @var Router $this */
                    return (new GuardedRoutes($this))->{$name}(...$values);
                });
            }
        }
        $guard = function (string|UnitEnum ...$flags): GuardedResource {
            return new GuardedResource($this, [CheckFeatureFlag::using(...$flags)]);
        };
        PendingResourceRegistration::macro('feature', $guard);
        // Laravel 9 and later.
        if (\method_exists(Router::class, 'singleton')) {
            PendingSingletonResourceRegistration::macro('feature', $guard);
        }
    }

    /** Binds by closures: the container takes several times as long to resolve constructors by itself. */
    private function bind(Application $app, bool $debug): void
    {
        $app->singleton(DebugLine::class);
        $app->singleton(Refusal::class, static fn (Application $app): Refusal => new Refusal(
            $app,
            $app->make(VisibleRoutes::class),
            $app->make(Unmatched::class),
            $debug ? $app->make(DebugLine::class) : null,
        ));
        $app->singleton(RouteFlags::class, static fn (Application $app): RouteFlags => new RouteFlags(
            $app->make('router'),
            $app,
        ));
        $app->singleton(BeforeLogin::class, static fn (Application $app): BeforeLogin => new BeforeLogin(
            $app,
            $app->make(RouteFlags::class),
        ));
        $app->singleton(CheckFeatureFlag::class, static fn (Application $app): CheckFeatureFlag => new CheckFeatureFlag(
            $app->make(Flagstone::class),
            $app->make(Subjects::class),
            $app,
        ));
        $app->bind(RecheckFeatureFlag::class, static fn (Application $app): RecheckFeatureFlag => new RecheckFeatureFlag(
            $app->make(CheckFeatureFlag::class),
            $app->make(Subjects::class),
            $app,
        ));
        $app->alias(HideFeatures::class, 'feature.hidden');
    }

    /** Sets the alias, unless the application has one of that name. */
    private function alias(Router $router, string $alias): void
    {
        if (!isset($router->getMiddleware()[$alias])) {
            $router->aliasMiddleware($alias, CheckFeatureFlag::class);
        }
    }
}
