<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Illuminate\Contracts\Foundation\Application;
use Illuminate\Routing\Router;

/**
 * Makes the middleware known to the router.
 *
 * @internal
 */
final class Registrar
{
    public function register(Application $app): void
    {
        $router = $app->make(Router::class);
        $alias = $app->make('config')->get('flagstone.middleware.alias', 'feature');
        if (!isset($router->getMiddleware()[$alias])) {
            $router->aliasMiddleware($alias, CheckFeatureFlag::class);
        }
    }
}
