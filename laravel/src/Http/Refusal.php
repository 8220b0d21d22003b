<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Contracts\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Foundation\Http\Events\RequestHandled;
use Illuminate\Http\Exceptions\HttpResponseException;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Routing\Route;
use Illuminate\Routing\RouteCollection;
use Illuminate\Routing\Router;
use Symfony\Component\HttpFoundation\Response as SymfonyResponse;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

/**
 * The answer to a request for which a flag is off: the application's answer without the route, such as a fallback's, a
 * catch-all's, its 404 or its 405.
 */
final class Refusal
{
    /** The request's attribute with protocol version and content type of the answer before the router prepared it. */
    private const SENT = 'flagstone.sent';

    /** @var ?Closure(Request, list<string>): mixed */
    private ?Closure $other = null;

    private bool $isListening = false;

    public function __construct(
        private readonly Container $container,
        private readonly VisibleRoutes $routes,
        private readonly Unmatched $unmatched,
        private readonly ?DebugLine $debug,
    ) {
    }

    /** @param ?Closure(Request, list<string>): mixed $answer another answer; null, as closure or as its result: 404 */
    public function answerBy(?Closure $answer): void
    {
        $this->other = $answer;
    }

    /** True if the application answers by itself. */
    public function isAnswered(): bool
    {
        return $this->other !== null;
    }

    /**
     * @param list<string> $flags in the route's notation
     * @param list<string> $off those of them that end the request
     */
    public function answer(Request $request, array $flags, array $off): mixed
    {
        self::gate($off);
        $answer = $this->other === null ? null : ($this->other)($request, $flags);
        if ($answer !== null) {
            return $answer;
        }
        $request->attributes->set(HideFeatures::REFUSED, $flags);
        if ($request->attributes->has(HideFeatures::HIDES)) {
            // The global middleware replaces this response, outside of the effects of the route's middleware.
            return new Response('', 404);
        }

        return $this->inside($request, $flags);
    }

    /**
     * Refuses a request that is not the current one, by an exception, which ends the current one.
     *
     * @param list<string> $flags in the route's notation
     * @param list<string> $off those of them that end the request
     * @throws NotFoundHttpException
     * @throws HttpResponseException with the application's own answer
     */
    public function abort(Request $request, array $flags, array $off): never
    {
        self::gate($off);
        $answer = $this->other === null ? null : ($this->other)($request, $flags);

        throw $answer === null ? $this->exception($request, $flags) : new HttpResponseException(Router::toResponse($request, $answer));
    }

    /**
     * Returns the router's match without the routes that are off.
     *
     * @param list<string> $flags in the refused route's notation
     * @param Closure(Route): bool $isOff
     * @throws HttpExceptionInterface if no route is left, or none of this verb
     */
    public function route(Request $request, array $flags, Closure $isOff): Route
    {
        try {
            return $this->routes->match($request, $isOff);
        } catch (NotFoundHttpException $exception) {
            throw $this->debug === null ? $exception : $this->debug->exception($request, $flags);
        }
    }

    /**
     * @param list<string> $flags in the refused route's notation
     * @param ?list<string> $without middleware that has run already
     */
    public function run(Request $request, Route $route, array $flags, ?array $without = null): SymfonyResponse
    {
        $response = $this->routes->run($request, $route, $without ?? []);
        $this->debug?->mark($request, $response, $flags);

        return $response;
    }

    /**
     * Returns the exception of this Laravel's own router; while debugging, with a line that gives the reason.
     *
     * @param list<string> $flags
     */
    public function exception(Request $request, array $flags): NotFoundHttpException
    {
        return $this->debug === null ? self::unrouted($request) : $this->debug->exception($request, $flags);
    }

    /**
     * Answers amid the middleware of the refused route, which continue with the answer: their effects are not repeated for the
     * route that answers instead.
     *
     * @param list<string> $flags
     */
    private function inside(Request $request, array $flags): SymfonyResponse
    {
        $refused = $request->route();
        $refused = $refused instanceof Route ? $refused : null;
        $known = $this->container->make(RouteFlags::class);
        $subject = $this->container->make(Subjects::class)->of($request);
        try {
            $route = $this->route($request, $flags, static fn (Route $route): bool => VisibleRoutes::same($route, $refused) || !$known->enabled($route, $subject));
        } catch (HttpExceptionInterface $exception) {
            return $this->rendered($request, $exception);
        }
        $router = $this->container->make(Router::class);
        $ran = $refused !== null ? \array_filter($router->gatherRouteMiddleware($refused), is_string(...)) : [];
        $shared = \array_values(\array_intersect($ran, \array_filter($router->gatherRouteMiddleware($route), is_string(...))));
        $run = fn (): SymfonyResponse => $this->run($request, $route, $flags, $shared);

        return $shared === [] ? $this->unmatched->during($request, $run) : $run();
    }

    /** Renders an exception like the router's pipeline, for a request without a route. */
    private function rendered(Request $request, HttpExceptionInterface $exception): SymfonyResponse
    {
        $handler = $this->container->make(ExceptionHandler::class);
        $handler->report($exception);
        $response = $this->unmatched->during($request, static fn (): SymfonyResponse => $handler->render($request, $exception));
        if (\method_exists($response, 'withException')) {
            $response->withException($exception);
        }
        $request->attributes->set(self::SENT, [$response->getProtocolVersion(), $response->headers->get('Content-Type')]);
        $this->listen();

        return $response;
    }

    /** Undoes the router's preparation of the response: it prepares answers of routes, but not those to a path without a route. */
    private function listen(): void
    {
        if ($this->isListening) {
            return;
        }
        $this->isListening = true;
        $this->container->make('events')->listen(RequestHandled::class, static function (RequestHandled $event): void {
            $sent = $event->request->attributes->get(self::SENT);
            if (!\is_array($sent) || !\is_string($sent[0] ?? null)) {
                return;
            }
            $event->response->setProtocolVersion($sent[0]);
            if (!\is_string($sent[1] ?? null)) {
                $event->response->headers->remove('Content-Type');
            } else {
                $event->response->headers->set('Content-Type', $sent[1]);
            }
        });
    }

    /**
     * Tells the counters that these flags ended the request by being off: the outcome is not the feature's doing.
     *
     * @param list<string> $flags
     */
    public static function gate(array $flags): void
    {
        foreach ($flags as $flag) {
            \flagstone_gated($flag);
        }
    }

    /** Takes the exception from a router without routes. */
    private static function unrouted(Request $request): NotFoundHttpException
    {
        try {
            (new RouteCollection())->match($request);
        } catch (NotFoundHttpException $exception) {
            return $exception;
        }

        return new NotFoundHttpException();
    }
}
