<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Contracts\Container\Container;
use Illuminate\Http\Exceptions\HttpResponseException;
use Illuminate\Routing\Events\RouteMatched;
use Illuminate\Routing\Route;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

/**
 * Refuses a route whose flag is on for nobody, before any middleware of the route runs: nobody is sent to a login for
 * it, no session starts, no rate is counted, and nothing but the path tells this 404 from any other.
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
            // As where no route matched: an error page that marks the current one finds none.
            $this->container->make(Unmatched::class)->make($event->request);

            throw $exception;
        }

        throw new HttpResponseException($refusal->run($event->request, $route, $flags));
    }

    /**
     * Whoever shows what a request asked for finds what ended it.
     *
     * @param list<string> $flags
     */
    private function announce(array $flags): void
    {
        $flagstone = $this->container->make(Flagstone::class);
        foreach (\explode('|', \implode('|', $flags)) as $flag) {
            if (!$flagstone->possible($flag)) {
                $flagstone->announce($flag, new Subject(), false);
            }
        }
    }

    /** Tests may run without middleware. */
    private function disabled(): bool
    {
        $disabled = $this->container->bound('middleware.disable') ? $this->container->get('middleware.disable') : null;

        return $disabled === true;
    }
}
