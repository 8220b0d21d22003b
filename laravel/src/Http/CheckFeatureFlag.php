<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container as Containers;
use Illuminate\Contracts\Container\Container;
use Illuminate\Http\Request;
use InvalidArgumentException;
use UnitEnum;
use WeakMap;

/**
 * The middleware "feature". feature:a,b lets through those for whom all are on, feature:a|b those for whom any is; the
 * others get the answer to a path that does not exist.
 */
class CheckFeatureFlag
{
    /** @var WeakMap<Request, list<array{int|string|null, ?string, list<string>}>> */
    private WeakMap $asked;

    public function __construct(
        private readonly Flagstone $flagstone,
        private readonly Subjects $subjects,
        private readonly Container $container,
    ) {
        $this->asked = new WeakMap();
    }

    /**
     * For a route, all of them: ->middleware(CheckFeatureFlag::using(Feature::CustomerPortal)).
     */
    public static function using(string|UnitEnum ...$flags): string
    {
        return static::class . ':' . \implode(',', \array_map(Flagstone::key(...), $flags));
    }

    /** For a route, any of them. */
    public static function usingAny(string|UnitEnum ...$flags): string
    {
        return static::class . ':' . \implode('|', \array_map(Flagstone::key(...), $flags));
    }

    /**
     * Another answer than 404, for all routes of the application.
     *
     * @param ?Closure(Request, list<string>): mixed $answer null from it, or instead of it: 404
     */
    public static function whenInactive(?Closure $answer): void
    {
        Containers::getInstance()->make(Refusal::class)->answerBy($answer);
    }

    public function handle(Request $request, Closure $next, string ...$flags): mixed
    {
        if ($flags === []) {
            throw new InvalidArgumentException('The middleware "feature" names no flag: write feature:customer_portal');
        }
        $subject = $this->subjects->of($request, true);
        $flags = \array_values($flags);
        $refusal = $this->refusal($request, $subject, $flags);
        if ($refusal !== null) {
            return $refusal();
        }
        $this->asked[$request] = [...$this->asked[$request] ?? [], [$subject->company, $subject->problem(), $flags]];

        return $next($request);
    }

    /**
     * What a request gets for whom a flag is off; null where all are on.
     *
     * @internal
     * @param list<string> $flags as the route names them
     * @return ?Closure(): mixed
     */
    public function refusal(Request $request, Subject $subject, array $flags): ?Closure
    {
        foreach ($flags as $flag) {
            if (!(\str_contains($flag, '|') ? $this->any($flag, $subject) : $this->flagstone->asks($flag, $subject))) {
                return fn (): mixed => $this->container->make(Refusal::class)->answer($request, $flags, \explode('|', $flag));
            }
        }

        return null;
    }

    /**
     * What was on for a request.
     *
     * @internal
     * @return list<array{int|string|null, ?string, list<string>}> the company, why it cannot be determined, and the flags
     */
    public function asked(Request $request): array
    {
        return $this->asked[$request] ?? [];
    }

    private function any(string $flags, Subject $subject): bool
    {
        foreach (\explode('|', $flags) as $flag) {
            if ($this->flagstone->asks($flag, $subject)) {
                return true;
            }
        }

        return false;
    }
}
