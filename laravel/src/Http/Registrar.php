<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Flagstone;
use Illuminate\Container\Container;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Foundation\Http\Events\RequestHandled;
use Illuminate\Routing\Events\RouteMatched;
use Illuminate\Routing\Route;
use Illuminate\Routing\Router;
use UnitEnum;

/**
 * Makes the middleware known to the router.
 *
 * @internal
 */
final class Registrar
{
    public function register(Application $app): void
    {
        $debug = (bool) $app->make('config')->get('app.debug');
        $this->bind($app, $debug);
        $this->alias($app->make(Router::class), $app->make('config')->get('flagstone.middleware.alias', 'feature'));
        (new Priority($app->make('config')->get('flagstone.middleware.after', [])))->register($app);

        $events = $app->make(Dispatcher::class);
        $guard = null;
        $events->listen(RouteMatched::class, static function (RouteMatched $event) use ($app, &$guard): void {
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
    }

    private function bind(Application $app, bool $debug): void
    {
        $app->singleton(DebugLine::class);
        $app->singleton(Refusal::class, static fn (Application $app): Refusal => new Refusal(
            $debug ? $app->make(DebugLine::class) : null,
        ));
        $app->singleton(RouteFlags::class, static fn (Application $app): RouteFlags => new RouteFlags(
            $app->make(Router::class),
            $app->make(Flagstone::class),
        ));
        $app->singleton(CheckFeatureFlag::class);
        $app->alias(HideFeatures::class, 'feature.hidden');
    }

    /** An alias that the application itself gives stays. */
    private function alias(Router $router, string $alias): void
    {
        if (!isset($router->getMiddleware()[$alias])) {
            $router->aliasMiddleware($alias, CheckFeatureFlag::class);
        }
    }
}
