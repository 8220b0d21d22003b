<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container;
use Illuminate\Http\Request;
use Illuminate\Routing\Route;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

/**
 * The global middleware "feature.hidden", last of the application's, hides what the route middleware cannot: session cookies and
 * rate-limit headers on a refused page, "wrong verb" and "page expired" for a route whose flag is off, and such a route's
 * verbs in the answer to OPTIONS.
 */
final class HideFeatures
{
    /** Statuses of middleware that may run before the flag is asked: page expired, too many requests. */
    private const EARLY = [419, 429];

    /** The request's attribute with the flags for which it was refused a page. */
    public const REFUSED = 'flagstone.refused';

    /** The request's attribute that shows that this middleware runs. */
    public const HIDES = 'flagstone.hides';

    public function __construct(private readonly Container $container)
    {
    }

    /** @throws HttpExceptionInterface the router's own, for the application's handler to render */
    public function handle(Request $request, Closure $next): mixed
    {
        $request->attributes->set(self::HIDES, true);
        // Read before the route's middleware decrypt them, or choose another guard.
        $cookies = $request->cookies->all();
        $guard = $this->container->make('config')->get('auth.defaults.guard');
        $hide = fn (array $flags, ?Route $refused): mixed => $this->hidden($request, $flags, $refused, $cookies, $guard);

        $response = $next($request);
        $flags = $request->attributes->get(self::REFUSED);
        $route = $request->route();
        $route = $route instanceof Route ? $route : null;
        if (\is_array($flags)) {
            return $hide(\array_values(\array_filter($flags, is_string(...))), $route);
        }
        $status = $response instanceof Response ? $response->getStatusCode() : 0;
        if ($status === 405 || $request->getMethod() === 'OPTIONS' && self::isMadeUp($route)) {
            $off = $this->off($request);

            return $off === null ? $response : $hide($this->flags()->of($off), null);
        }
        if (\in_array($status, self::EARLY, true) && $route !== null && !$this->isOn($request, $route)) {
            Refusal::gate($this->flags()->off($route, $this->container->make(Subjects::class)->of($request)));

            return $hide($this->flags()->of($route), $route);
        }

        return $response;
    }

    /**
     * Returns the router's answer to the original request, as if it had none of the routes that are off.
     *
     * @param list<string> $flags in the refused route's notation
     * @param ?Route $refused known to be off
     * @param array<string, mixed> $cookies
     * @throws HttpExceptionInterface
     */
    private function hidden(Request $request, array $flags, ?Route $refused, array $cookies, mixed $guard): mixed
    {
        $refusal = $this->container->make(Refusal::class);
        $restore = fn () => $this->container->make(Unmatched::class)->make($request, $cookies, $guard);
        try {
            $route = $refusal->route($request, $flags, fn (Route $route): bool => VisibleRoutes::same($route, $refused) || !$this->isOn($request, $route));
        } catch (HttpExceptionInterface $exception) {
            $restore();

            throw $exception;
        }
        $restore();

        return $refusal->run($request, $route, $flags);
    }

    /** A matching route of another verb that is off, whose verbs must not be shown. */
    private function off(Request $request): ?Route
    {
        foreach ($this->container->make(VisibleRoutes::class)->candidates($request) as $route) {
            if (!$this->isOn($request, $route)) {
                Refusal::gate($this->flags()->off($route, $this->container->make(Subjects::class)->of($request)));

                return $route;
            }
        }

        return null;
    }

    /** The route that the router makes up to answer OPTIONS. */
    private static function isMadeUp(?Route $route): bool
    {
        return $route !== null && $route->methods() === ['OPTIONS'] && $route->gatherMiddleware() === [];
    }

    private function isOn(Request $request, Route $route): bool
    {
        return $this->flags()->enabled($route, $this->container->make(Subjects::class)->of($request));
    }

    /** Made on demand: most pages need none of it. */
    private function flags(): RouteFlags
    {
        return $this->container->make(RouteFlags::class);
    }
}
