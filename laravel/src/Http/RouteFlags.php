<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Routing\Route;
use Illuminate\Routing\Router;
use WeakMap;

/**
 * Which flags guard a route.
 */
final class RouteFlags
{
    /** @var WeakMap<Route, list<string>> */
    private WeakMap $known;

    /** @var array<string, bool> by a middleware's name: whether it leads to the flags' */
    private array $leads = [];

    public function __construct(private readonly Router $router, private readonly Flagstone $flagstone)
    {
        $this->known = new WeakMap();
    }

    /**
     * The middleware's parameters: each a flag, or several of which any will do ("a|b"). Empty where nothing guards.
     *
     * @return list<string>
     */
    public function of(Route $route): array
    {
        return $this->known[$route] ??= $this->find($route);
    }

    /** Whether every one of them could be on for somebody. */
    public function possible(Route $route): bool
    {
        foreach ($this->of($route) as $flag) {
            if (!$this->any($flag, $this->flagstone->possible(...))) {
                return false;
            }
        }

        return true;
    }

    /** Whether every one of them is on for this subject. */
    public function enabled(Route $route, Subject $subject): bool
    {
        foreach ($this->of($route) as $flag) {
            if (!$this->any($flag, fn (string $one): bool => $this->flagstone->asks($one, $subject))) {
                return false;
            }
        }

        return true;
    }

    /** @param callable(string): bool $holds */
    private function any(string $flag, callable $holds): bool
    {
        if (!\str_contains($flag, '|')) {
            return $holds($flag);
        }
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
        $guarded = false;
        foreach ($route->gatherMiddleware() as $name) {
            $guarded = $guarded || \is_string($name) && $this->leads($name);
        }
        if (!$guarded) {
            return [];
        }
        // The router's own list, which knows what the route leaves out.
        $flags = [];
        foreach ($this->router->gatherRouteMiddleware($route) as $name) {
            [$class, $parameters] = \explode(':', \is_string($name) ? $name : '', 2) + [1 => ''];
            if ($parameters !== '' && \is_a($class, CheckFeatureFlag::class, true)) {
                \array_push($flags, ...\explode(',', $parameters));
            }
        }

        return $flags;
    }

    private function leads(string $name): bool
    {
        [$name] = \explode(':', $name, 2);
        if (isset($this->leads[$name])) {
            return $this->leads[$name];
        }
        $this->leads[$name] = false;
        $group = $this->router->getMiddlewareGroups()[$name] ?? null;
        foreach ($group ?? [] as $member) {
            if (\is_string($member) && $this->leads($member)) {
                return $this->leads[$name] = true;
            }
        }
        $class = $this->router->getMiddleware()[$name] ?? $name;

        return $this->leads[$name] = $group === null
            && \is_string($class)
            && \is_a($class, CheckFeatureFlag::class, true);
    }
}
