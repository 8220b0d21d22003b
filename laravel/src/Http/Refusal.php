<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Illuminate\Http\Request;
use Illuminate\Routing\RouteCollection;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

/**
 * What somebody gets for whom a flag is off: the answer to a path that no route has.
 */
final class Refusal
{
    /** @var ?Closure(Request, list<string>): mixed */
    private ?Closure $other = null;

    public function __construct(private readonly ?DebugLine $debug)
    {
    }

    /** @param ?Closure(Request, list<string>): mixed $answer another answer; null from it, or instead of it: 404 */
    public function answerBy(?Closure $answer): void
    {
        $this->other = $answer;
    }

    /** Whether the application answers by itself. */
    public function isAnswered(): bool
    {
        return $this->other !== null;
    }

    /**
     * @param list<string> $flags as the route names them
     * @param list<string> $off those of them that end the request
     * @throws NotFoundHttpException
     */
    public function answer(Request $request, array $flags, array $off): mixed
    {
        self::gate($off);
        $answer = $this->other === null ? null : ($this->other)($request, $flags);
        if ($answer !== null) {
            return $answer;
        }
        $request->attributes->set(HideFeatures::REFUSED, $flags);

        throw $this->exception($request, $flags);
    }

    /**
     * The exception of this Laravel's own router; while debugging, with a line that tells why.
     *
     * @param list<string> $flags
     */
    public function exception(Request $request, array $flags): NotFoundHttpException
    {
        return $this->debug === null ? self::unrouted($request) : $this->debug->exception($request, $flags);
    }

    /**
     * Tells the counters that these flags, which are off, end the request: what it comes to is not the feature's doing.
     *
     * @param list<string> $flags
     */
    public static function gate(array $flags): void
    {
        foreach ($flags as $flag) {
            \flagstone_gated($flag);
        }
    }

    /** Asks a router without routes. */
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
