<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container as Containers;
use Illuminate\Contracts\Container\Container;
use Illuminate\Http\Request;
use InvalidArgumentException;
use UnitEnum;
use WeakMap;

/**
 * The middleware "feature". feature:a,b lets a request through if all flags are on, feature:a|b if any is; other requests get the
 * answer to a path that does not exist.
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
     * Makes the middleware that requires all of them: ->middleware(CheckFeatureFlag::using(Feature::CustomerPortal)).
     */
    public static function using(string|UnitEnum ...$flags): string
    {
        return static::class . ':' . \implode(',', \array_map(Flagstone::key(...), $flags));
    }

    /** Makes the middleware that requires any of them. */
    public static function usingAny(string|UnitEnum ...$flags): string
    {
        return static::class . ':' . \implode('|', \array_map(Flagstone::key(...), $flags));
    }

    /**
     * Sets another answer than 404, for all routes of the application.
     *
     * @param ?Closure(Request, list<string>): mixed $answer null, as closure or as its result: 404
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
     * Returns the answer to a request for which a flag is off; null if all are on.
     *
     * @internal
     * @param list<string> $flags in the route's notation
     * @return ?Closure(): mixed
     */
    public function refusal(Request $request, Subject $subject, array $flags): ?Closure
    {
        $questions = new Questions($this->flagstone, $subject);
        foreach ($flags as $flag) {
            if (!$questions->someAreActive(\explode('|', $flag))) {
                return function () use ($request, $flags, $flag): mixed {
                    $refusal = $this->container->make(Refusal::class);
                    $off = \explode('|', $flag);
                    // A caller with a request of its own, such as Livewire before a component's later requests, goes on whatever is
                    // returned.
                    $isAnswered = $request === Containers::getInstance()->make('request');

                    return $isAnswered ? $refusal->answer($request, $flags, $off) : $refusal->abort($request, $flags, $off);
                };
            }
        }

        return null;
    }

    /**
     * Returns the flags that were on for a request.
     *
     * @internal
     * @return list<array{int|string|null, ?string, list<string>}> the company, the reason if it is unknown, and the flags
     */
    public function asked(Request $request): array
    {
        return $this->asked[$request] ?? [];
    }
}
