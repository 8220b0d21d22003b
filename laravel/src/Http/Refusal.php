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

    /** @param ?Closure(Request, list<string>): mixed $answer another answer; null from it, or instead of it: 404 */
    public function answerBy(?Closure $answer): void
    {
        $this->other = $answer;
    }

    /**
     * @param list<string> $flags as the route names them
     * @throws NotFoundHttpException
     */
    public function answer(Request $request, array $flags): mixed
    {
        $answer = $this->other === null ? null : ($this->other)($request, $flags);

        return $answer ?? throw self::notFound($request);
    }

    /** The exception of this Laravel's own router, from a router without routes. */
    public static function notFound(Request $request): NotFoundHttpException
    {
        try {
            (new RouteCollection())->match($request);
        } catch (NotFoundHttpException $exception) {
            return $exception;
        }

        return new NotFoundHttpException();
    }
}
