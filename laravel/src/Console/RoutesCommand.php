<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Http\Alias;
use Flagstone\Laravel\Http\RouteFlags;
use Flagstone\Laravel\Integrations\Sources;
use Illuminate\Routing\Router;

/**
 * Exit code 0: the flag is asked for somewhere; 1: no such place was found.
 */
final class RoutesCommand extends FlagCommand
{
    protected $signature = 'feature:routes
        {flag : The flag\'s key}
        {--json : Print JSON}';

    protected $description = 'Show what a flag guards: routes, views, jobs and other code';

    public function handle(Router $router, RouteFlags $guards, Sources $sources, Flagstone $flagstone, Alias $alias): int
    {
        $flag = $this->flag();
        // Checked before the routes: an application's own middleware of that name guards by other means.
        $alias->all();
        $found = ['routes' => $this->routes($router, $guards, $flag)] + $sources->mentions($flag);
        $any = \array_filter($found) !== [];
        if ($this->isJson()) {
            $this->json(['flag' => $flag] + $found);

            return $any ? self::SUCCESS : self::FAILURE;
        }
        foreach ($found as $what => $places) {
            if ($places !== []) {
                $this->line(\ucfirst($what));
                foreach ($places as $place) {
                    $this->line('  ' . $place);
                }
            }
        }
        if (!$any) {
            $known = \in_array($flag, $flagstone->driver()->names(), true);
            $this->line("Nothing was found that asks for $flag" . ($known ? '' : ', and there is no such flag'));
        }

        return $any ? self::SUCCESS : self::FAILURE;
    }

    /** @return list<string> verbs and path, with the route's name if it has one */
    private function routes(Router $router, RouteFlags $guards, string $flag): array
    {
        $routes = [];
        foreach ($router->getRoutes()->getRoutes() as $route) {
            if (\in_array($flag, \explode('|', \implode('|', $guards->of($route))), true)) {
                $name = $route->getName() === null ? '' : " ({$route->getName()})";
                /** @var list<string> $methods */
                $methods = $route->methods();
                $routes[] = \implode('|', \array_diff($methods, ['HEAD'])) . ' ' . $route->uri() . $name;
            }
        }

        return $routes;
    }
}
