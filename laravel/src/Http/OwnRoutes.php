<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Changes\Registrar as Changes;
use Flagstone\Laravel\Config;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Contracts\Foundation\CachesRoutes;

/**
 * The routes that config/flagstone.php, `routes`, asks for: there are none else.
 *
 * @internal
 */
final class OwnRoutes
{
    private const ROUTES = ['health' => HealthController::class, 'metrics' => MetricsController::class];

    public function register(Application $app): void
    {
        (new Changes())->register($app);
        if ($app instanceof CachesRoutes && $app->routesAreCached()) {
            return;
        }
        $config = Config::of($app);
        $router = $app->make('router');
        foreach (self::ROUTES as $name => $controller) {
            $path = $config->text("routes.$name") ?? '';
            if ($path !== '') {
                $router->get($path, [
                    'uses' => $controller, 'as' => "flagstone.$name", 'middleware' => $config->texts('routes.middleware'),
                ]);
            }
        }
    }
}
