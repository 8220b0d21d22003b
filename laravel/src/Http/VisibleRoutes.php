<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Illuminate\Http\Request;
use Illuminate\Routing\CompiledRouteCollection;
use Illuminate\Routing\Route;
use Illuminate\Routing\RouteCollection;
use Illuminate\Routing\Router;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

/**
 * The router without the routes that are off: a fallback, a catch-all or a route of another verb answers then; if none does, the
 * router's own exception is thrown.
 *
 * Only routes that could match the path are made: with cached routes, each of the others costs a refusal one comparison.
 *
 * @internal
 */
final class VisibleRoutes
{
    public function __construct(private readonly Router $router)
    {
    }

    /**
     * @param Closure(Route): bool $isOff
     * @throws HttpExceptionInterface the router's own: no route, or none of this verb
     */
    public function match(Request $request, Closure $isOff): Route
    {
        $visible = new RouteCollection();
        foreach ($this->candidates($request) as $route) {
            if (!$isOff($route)) {
                $visible->add($route);
            }
        }

        return $visible->match($request);
    }

    /**
     * Answers a request by this route, in the way of the router.
     *
     * @param list<string> $without middleware that has run already, by the router's names
     */
    public function run(Request $request, Route $route, array $without): Response
    {
        if ($without !== []) {
            $route = clone $route;
            $route->computedMiddleware = \array_values(\array_diff($this->router->gatherRouteMiddleware($route), $without));
        }

        return Closure::bind(function () use ($request, $route): Response {
            /** @var Router $this */
            $this->current = $route;
            $route->setContainer($this->container);
            $this->container->instance(Route::class, $route);

            return $this->runRoute($request, $route);
        }, $this->router, Router::class)();
    }

    /** @return list<Route> of any verb */
    public function candidates(Request $request): array
    {
        $path = \rawurldecode($request->path());
        $routes = $this->router->getRoutes();
        $found = [];
        if ($routes instanceof CompiledRouteCollection) {
            [$cached, $routes] = Closure::bind(fn (): array => [$this->attributes, $this->routes], $routes, CompiledRouteCollection::class)();
            foreach ($cached as $name => $attributes) {
                if (self::begins($path, $attributes['uri'])) {
                    $found[] = $this->router->getRoutes()->getByName($name);
                }
            }
        }
        foreach ($routes->getRoutes() as $route) {
            if (self::begins($path, $route->uri())) {
                $found[] = $route;
            }
        }

        return \array_values(\array_filter($found, static fn (?Route $route): bool => $route !== null && $route->matches($request, false)));
    }

    /** True if both are one route: cached ones are made again at each call. */
    public static function same(Route $one, ?Route $other): bool
    {
        return $one === $other || $other !== null && [$one->uri(), $one->methods(), $one->getDomain()] === [$other->uri(), $other->methods(), $other->getDomain()];
    }

    /** True if a path could match this URI: it has the same beginning up to the first parameter. */
    private static function begins(string $path, string $uri): bool
    {
        $fixed = \trim((string) \strstr("$uri{", '{', true), '/');

        return \str_starts_with(\trim($path, '/'), $fixed);
    }
}
