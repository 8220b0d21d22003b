<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Flagstone\Laravel\Value;
use Illuminate\Auth\Middleware\AuthenticateWithBasicAuth;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Routing\Middleware\SubstituteBindings;
use Illuminate\Routing\Router;

/**
 * Puts the middleware after authentication and tenant lookup, and before models are bound to the route: a company without the
 * feature learns nothing of which records exist.
 *
 * @internal
 */
final class Priority
{
    /** @param list<string> $after middleware that find the tenant */
    public function __construct(private readonly array $after)
    {
    }

    /** Changes the kernel, which passes its list to the router when it is made and whenever the list changes. */
    public function register(Application $app, Router $router): void
    {
        $place = function (Kernel $kernel) use ($router): void {
            if (\property_exists($kernel, 'middlewarePriority')) {
                // Laravel 8 to 10 can only add to either end. The setter of later versions also registers the kernel's
                // groups again, which undoes additions by packages.
                Closure::bind(function (Closure $placed): void {
                    $this->middlewarePriority = $placed($this->middlewarePriority);
                }, $kernel, $kernel::class)($this->placed(...));
            }
            $router->middlewarePriority = $this->placed(Value::texts(['priority' => $router->middlewarePriority], 'priority'));
        };
        if ($app->resolved(Kernel::class)) {
            $place($app->make(Kernel::class));
        } else {
            $app->afterResolving(Kernel::class, $place);
        }
    }

    /**
     * @param list<string> $priority
     * @return list<string>
     */
    private function placed(array $priority): array
    {
        if (\in_array(CheckFeatureFlag::class, $priority, true)) {
            return $priority;
        }
        $at = \array_search(SubstituteBindings::class, $priority, true);
        $at = $at === false ? \count($priority) : $at;
        $absent = [];
        // Laravel has a place for middleware that authenticate, but does not recognize this one.
        foreach ([AuthenticateWithBasicAuth::class, ...$this->after] as $name) {
            $index = \array_search($name, $priority, true);
            if ($index === false) {
                $absent[] = $name;
            } else {
                // An application that identifies tenants after binding models has that order in its own list.
                $at = \max($at, $index + 1);
            }
        }
        \array_splice($priority, $at, 0, [...$absent, CheckFeatureFlag::class]);

        return $priority;
    }
}
