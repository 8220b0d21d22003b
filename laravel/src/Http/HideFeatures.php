<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container;
use Illuminate\Http\Request;
use Illuminate\Routing\Route;
use Illuminate\Routing\RouteCollection;
use Illuminate\Routing\Router;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

/**
 * The global middleware "feature.hidden", last of the application's: hides what the route middleware cannot. Session
 * cookies and rate-limit headers on a refused page, "wrong verb" and "page expired" for a route whose flag is off, and
 * such a route's verbs in the answer to OPTIONS.
 */
final class HideFeatures
{
    /** Answers of middleware that may run before the flag is asked: page expired, too many requests. */
    private const EARLY = [419, 429];

    /** The request's attribute that names the flags for which it was refused a page. */
    public const REFUSED = 'flagstone.refused';

    public function __construct(private readonly Container $container)
    {
    }

    /** @throws HttpExceptionInterface as the router throws it, for the application's handler to render */
    public function handle(Request $request, Closure $next): mixed
    {
        $response = $next($request);
        $flags = $request->attributes->get(self::REFUSED);
        if (\is_array($flags)) {
            throw $this->refusal($request, \array_values(\array_filter($flags, is_string(...))));
        }
        $status = $response instanceof Response ? $response->getStatusCode() : 0;
        if ($status === 405 || $request->getMethod() === 'OPTIONS' && self::isMadeUp($request->route())) {
            return $this->verbs($request) ?? $response;
        }
        if (\in_array($status, self::EARLY, true)) {
            $route = $request->route();
            if ($route instanceof Route && !$this->isOn($request, $route)) {
                throw $this->hidden($request, $route);
            }
        }

        return $response;
    }

    /** What the router would say if it had none of the routes that are off; null where it has none of those. */
    private function verbs(Request $request): mixed
    {
        $visible = new RouteCollection();
        $hidden = [];
        foreach (\array_diff(Router::$verbs, [$request->getMethod()]) as $verb) {
            $route = $this->match($request, $verb);
            if ($route !== null && $this->isOn($request, $route)) {
                $visible->add($route);
            } elseif ($route !== null) {
                $hidden[] = $route;
            }
        }
        if ($hidden === []) {
            return null;
        }
        if ($visible->getRoutes() === []) {
            throw $this->hidden($request, $hidden[0]);
        }

        return Router::toResponse($request, $visible->match($request)->setContainer($this->container)->run());
    }

    private function match(Request $request, string $verb): ?Route
    {
        $server = $request->server->all();
        unset($server['HTTP_X_HTTP_METHOD_OVERRIDE']);
        try {
            $route = $this->container->make(Router::class)->getRoutes()->match(Request::create($request->url(), $verb, [], [], [], $server));
        } catch (HttpExceptionInterface) {
            return null;
        }

        return self::isMadeUp($route) ? null : $route;
    }

    /** The route that the router makes up to answer OPTIONS. */
    private static function isMadeUp(mixed $route): bool
    {
        return $route instanceof Route && $route->methods() === ['OPTIONS'] && $route->gatherMiddleware() === [];
    }

    private function isOn(Request $request, Route $route): bool
    {
        return $this->flags()->enabled($route, $this->container->make(Subjects::class)->of($request));
    }

    /** The answer to a request that no middleware of the route has refused yet. */
    private function hidden(Request $request, Route $route): HttpExceptionInterface
    {
        Refusal::gate($this->flags()->off($route, $this->container->make(Subjects::class)->of($request)));

        return $this->refusal($request, $this->flags()->of($route));
    }

    /** Made where they are needed: most pages need none of it. */
    private function flags(): RouteFlags
    {
        return $this->container->make(RouteFlags::class);
    }

    /** @param list<string> $flags */
    private function refusal(Request $request, array $flags): HttpExceptionInterface
    {
        return $this->container->make(Refusal::class)->exception($request, $flags);
    }
}
