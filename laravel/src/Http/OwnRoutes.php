<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Changes\ChangeServices;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Contracts\Foundation\CachesRoutes;

/**
 * Routes that `routes` in config/flagstone.php asks for: no others, and none that is public.
 *
 * @internal
 */
final class OwnRoutes
{
    private const ROUTES = ['health' => HealthController::class, 'metrics' => MetricsController::class];

    public function register(Application $app): void
    {
        (new ChangeServices())->register($app);
        if ($app instanceof CachesRoutes && $app->routesAreCached()) {
            return;
        }
        $config = Config::of($app);
        // A mistake in these settings ends no other page.
        if (self::warning($config) !== null) {
            return;
        }
        $router = $app->make('router');
        foreach (self::paths($config) as $name => $path) {
            $router->get($path, ['uses' => self::ROUTES[$name], 'as' => "flagstone.$name", 'middleware' => self::middleware($config)]);
        }
    }

    /** A sentence if paths are set without protection, or a setting is not valid, so that they are not served. */
    public static function warning(Config $config): ?string
    {
        try {
            $paths = self::paths($config);
            if ($paths === [] || self::middleware($config) !== []) {
                return null;
            }
        } catch (InvalidSetting $problem) {
            return "no route for monitoring is served: {$problem->getMessage()}";
        }

        return \implode(', ', $paths) . ': not served, since everybody could read it; set FLAGSTONE_MONITORING_TOKEN,'
            . ' or routes.middleware in config/flagstone.php';
    }

    /** @return array<string, string> by name, those that are set */
    private static function paths(Config $config): array
    {
        $paths = [];
        foreach (\array_keys(self::ROUTES) as $name) {
            $path = $config->text("routes.$name") ?? '';
            if ($path !== '') {
                $paths[$name] = $path;
            }
        }

        return $paths;
    }

    /** @return list<string> */
    private static function middleware(Config $config): array
    {
        $middleware = \array_values(\array_filter($config->texts('routes.middleware'), static fn (string $name): bool => $name !== ''));
        $token = $config->text('routes.token') ?? '';

        return $token === '' ? $middleware : [CheckMonitoringToken::class, ...$middleware];
    }
}
