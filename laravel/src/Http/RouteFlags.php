<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Value;
use Illuminate\Contracts\Container\Container;
use Illuminate\Routing\Route;
use Illuminate\Routing\Router;
use Illuminate\Support\Str;
use WeakMap;

/**
 * Finds the flags that guard a route.
 */
final class RouteFlags
{
    /** @var WeakMap<Route, list<string>> */
    private WeakMap $known;

    /** @var WeakMap<Route, true> routes that were searched for middleware of the application's own */
    private WeakMap $rechecked;

    /** @var array<string, list<string>> such middleware, by the name of a group, an alias or a class */
    private array $ownNamed = [];

    /** @var array<string, list<string>> the flags, by a middleware's name */
    private array $named = [];

    private ?Flagstone $flagstone = null;

    public function __construct(private readonly Router $router, private readonly Container $container)
    {
        $this->known = new WeakMap();
        $this->rechecked = new WeakMap();
    }

    /**
     * The middleware's parameters: each a flag, or alternatives ("a|b"). Empty if nothing guards.
     *
     * @return list<string>
     */
    public function of(Route $route): array
    {
        return $this->known[$route] ??= $this->find($route);
    }

    /** True if every one of them could be on for some company. */
    public function possible(Route $route): bool
    {
        $flags = $this->known[$route] ??= $this->find($route);
        if ($flags === []) {
            return true;
        }
        $flagstone = $this->flagstone ??= $this->container->make(Flagstone::class);
        foreach ($flags as $flag) {
            if (!(\str_contains($flag, '|') ? self::any($flag, $flagstone->possible(...)) : $flagstone->possible($flag))) {
                return false;
            }
        }

        return true;
    }

    /** @return list<string> those that could be on for no company */
    public function impossible(Route $route): array
    {
        $flagstone = $this->container->make(Flagstone::class);

        return \array_values(\array_filter(
            \explode('|', \implode('|', $this->of($route))),
            static fn (string $flag): bool => $flag !== '' && !$flagstone->possible($flag),
        ));
    }

    /** @return list<string> those that are off for this subject */
    public function off(Route $route, Subject $subject): array
    {
        $questions = new Questions($this->container->make(Flagstone::class), $subject);

        return \array_values(\array_filter(
            \explode('|', \implode('|', $this->of($route))),
            static fn (string $flag): bool => $flag !== '' && !$questions->enabled($flag),
        ));
    }

    /** True if every one of them is on for this subject. */
    public function enabled(Route $route, Subject $subject): bool
    {
        $questions = new Questions($this->flagstone ??= $this->container->make(Flagstone::class), $subject);
        foreach ($this->of($route) as $flag) {
            if (!self::any($flag, $questions->enabled(...))) {
                return false;
            }
        }

        return true;
    }

    /**
     * Asks the flags of a guarded route again, if one of the application's own middleware finds another company after them. Only
     * Laravel's middleware, and those that run before the flags are asked, are known not to.
     */
    public function recheck(Route $route): void
    {
        if (($this->known[$route] ??= $this->find($route)) === [] || isset($this->rechecked[$route])) {
            return;
        }
        $this->rechecked[$route] = true;
        // Under Octane routes outlive this object.
        if ($this->own($route) !== [] && !\in_array(RecheckFeatureFlag::class, $route->gatherMiddleware(), true)) {
            $route->computedMiddleware = [...$route->gatherMiddleware(), RecheckFeatureFlag::class];
        }
    }

    /** @return list<string> the route's middleware that may find another company after its flags were asked */
    public function own(Route $route): array
    {
        $own = [];
        foreach ($route->gatherMiddleware() as $name) {
            $own = [...$own, ...\is_string($name) ? $this->ownNamed[$name] ??= $this->ownOf($name) : ['a closure']];
        }

        return \array_values(\array_unique($own));
    }

    /** @return list<string> */
    private function ownOf(string $name): array
    {
        $this->ownNamed[$name] = [];
        $group = $this->router->getMiddlewareGroups()[$name] ?? null;
        if (\is_array($group)) {
            $own = [];
            foreach ($group as $member) {
                $own = [...$own, ...\is_string($member) ? $this->ownNamed[$member] ??= $this->ownOf($member) : ['a closure']];
            }

            return $own;
        }
        $class = Str::before($name, ':');
        $class = $this->router->getMiddleware()[$class] ?? $class;
        if (!\is_string($class)) {
            return ['a closure'];
        }
        // The router itself refuses a class that does not exist.
        if (self::isLaravels($class) || !\class_exists($class)) {
            return [];
        }
        foreach (\class_parents($class) ?: [] as $parent) {
            if (self::isLaravels($parent)) {
                return [];
            }
        }
        $priority = $this->router->middlewarePriority;
        $before = \array_slice($priority, 0, (int) \array_search(CheckFeatureFlag::class, $priority, true));

        return \array_intersect([$class, ...\class_implements($class) ?: []], $before) === [] ? [$class] : [];
    }

    private static function isLaravels(string $class): bool
    {
        return \str_starts_with($class, 'Illuminate\\') || \str_starts_with($class, 'Flagstone\\Laravel\\Http\\');
    }

    /** @param callable(string): bool $holds */
    private static function any(string $flag, callable $holds): bool
    {
        foreach (\explode('|', $flag) as $one) {
            if ($holds($one)) {
                return true;
            }
        }

        return false;
    }

    /** @return list<string> */
    private function find(Route $route): array
    {
        $flags = [];
        foreach ($route->gatherMiddleware() as $name) {
            if (\is_string($name)) {
                $flags = [...$flags, ...$this->named[$name] ??= $this->ofMiddleware($name)];
            }
        }
        if ($flags === [] || $route->excludedMiddleware() === []) {
            return $flags;
        }
        // The router's own list leaves out what the route excludes.
        $flags = [];
        foreach ($this->router->gatherRouteMiddleware($route) as $name) {
            $flags = [...$flags, ...\is_string($name) ? $this->ofMiddleware($name) : []];
        }

        return $flags;
    }

    /**
     * @param string $name a class, an alias or a group, in the route's notation
     * @return list<string>
     */
    private function ofMiddleware(string $name): array
    {
        $flags = [];
        $this->named[$name] = $flags;
        $groups = $this->router->getMiddlewareGroups();
        if (isset($groups[$name])) {
            foreach (Value::texts($groups, $name) as $member) {
                $flags = [...$flags, ...$this->named[$member] ??= $this->ofMiddleware($member)];
            }

            return $this->named[$name] = $flags;
        }
        $class = Str::before($name, ':');
        $parameters = \substr($name, \strlen($class) + 1);
        $class = $this->router->getMiddleware()[$class] ?? $class;
        if ($parameters === '' || !\is_string($class)) {
            return $flags;
        }

        return $class === CheckFeatureFlag::class || \is_a($class, CheckFeatureFlag::class, true) ? \explode(',', $parameters) : $flags;
    }
}
