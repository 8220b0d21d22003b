<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Contracts\Container\Container;
use Illuminate\Http\Exceptions\HttpResponseException;
use Illuminate\Routing\Events\RouteMatched;
use Illuminate\Routing\Route;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

/**
 * Refuses a route whose flag is on for no company, before any middleware of the route runs: no redirect to a login, no session,
 * no rate limit, and only the path distinguishes this 404 from any other.
 */
final class BeforeLogin
{
    public function __construct(private readonly Container $container, private readonly RouteFlags $flags)
    {
    }

    public function handle(RouteMatched $event): void
    {
        if ($this->flags->possible($event->route)) {
            $this->flags->recheck($event->route);

            return;
        }
        $refusal = $this->container->make(Refusal::class);
        if ($refusal->isAnswered() || $this->disabled()) {
            return;
        }
        $this->announce($this->flags->of($event->route));
        Refusal::gate($this->flags->impossible($event->route));
        $flags = $this->flags->of($event->route);
        try {
            $route = $refusal->route($event->request, $flags, fn (Route $route): bool => VisibleRoutes::same($route, $event->route) || !$this->flags->possible($route));
        } catch (HttpExceptionInterface $exception) {
            // Same state as for a path without a route: an error page that marks the current one finds none.
            $this->container->make(Unmatched::class)->make($event->request);

            throw $exception;
        }

        throw new HttpResponseException($refusal->run($event->request, $route, $flags));
    }

    /**
     * Announces the flags that ended the request to tools that show its questions.
     *
     * @param list<string> $flags
     */
    private function announce(array $flags): void
    {
        $flagstone = $this->container->make(Flagstone::class);
        $questions = new Questions($flagstone, new Subject());
        foreach (\explode('|', \implode('|', $flags)) as $flag) {
            if (!$flagstone->possible($flag)) {
                $questions->announce($flag, false);
            }
        }
    }

    /** True if a test runs without middleware. */
    private function disabled(): bool
    {
        $disabled = $this->container->bound('middleware.disable') ? $this->container->get('middleware.disable') : null;

        return $disabled === true;
    }
}
