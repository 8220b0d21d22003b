<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Auth;

use Closure;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Auth\Access\Gate as IlluminateGate;
use Illuminate\Auth\Access\Response;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Access\Gate;
use Illuminate\Contracts\Auth\Authenticatable;
use InvalidArgumentException;
use UnitEnum;

/**
 * The ability "feature": Gate::allows('feature', 'customer_portal'). Also answers for guests. A denial is a 404.
 *
 * @internal
 */
final class FeatureAbility
{
    public function register(Gate $gate): void
    {
        if ($gate->has('feature')) {
            return;
        }
        $gate->define('feature', self::decide(...));
        $gate->before(static fn (?Authenticatable $user, string $ability, array $arguments): ?Response => $ability === 'feature' && $arguments !== []
            ? self::decide($user, ...\array_values($arguments))
            : null);
        // Runs before an application's own `Gate::before()`, which lets administrators pass everything: a flag that is off is off for
        // them too. The provider that registers it may have booted earlier.
        if ($gate instanceof IlluminateGate) {
            Closure::bind(static function (IlluminateGate $gate): void {
                $callbacks = $gate->beforeCallbacks;
                $gate->beforeCallbacks = [\array_pop($callbacks), ...$callbacks];
            }, null, IlluminateGate::class)($gate);
        }
    }

    /**
     * @param mixed ...$company the company to ask for, and its attributes; none: the user's
     * @throws InvalidArgumentException if no flag is named, or the company is not valid
     */
    private static function decide(?Authenticatable $user, string|UnitEnum|null $flag = null, mixed ...$company): Response
    {
        if ($flag === null) {
            throw new InvalidArgumentException(
                'The ability "feature" was asked for without a flag. On a route Laravel takes a name without quotes for a'
                . " route parameter's: write can:feature,'customer_portal', or the middleware feature:customer_portal",
            );
        }
        $app = Container::getInstance();
        $subject = $company === [] ? $app->make(Subjects::class)->ofUser($user) : Subject::of(...$company);
        if ((new Questions($app->make(Flagstone::class), $subject))->enabled($flag)) {
            return Response::allow();
        }

        return \method_exists(Response::class, 'denyAsNotFound') ? Response::denyAsNotFound() : new NotFound(Flagstone::key($flag));
    }
}
