<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Auth;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Auth\Access\Response;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Access\Gate;
use Illuminate\Contracts\Auth\Authenticatable;
use InvalidArgumentException;
use UnitEnum;

/**
 * The ability "feature": Gate::allows('feature', 'customer_portal'). Guests may be asked about, too. A denial is a 404.
 *
 * @internal
 */
final class Registrar
{
    public function register(Gate $gate): void
    {
        if ($gate->has('feature')) {
            return;
        }
        $gate->define('feature', self::decide(...));
        // Before an application's own `Gate::before()`, which lets administrators pass everything: what is off is off for them too.
        $gate->before(static fn (?Authenticatable $user, string $ability, array $arguments): ?Response => $ability === 'feature' && $arguments !== []
            ? self::decide($user, ...\array_values($arguments))
            : null);
    }

    /** @throws InvalidArgumentException where no flag is named */
    private static function decide(?Authenticatable $user, string|UnitEnum|null $flag = null): Response
    {
        if ($flag === null) {
            throw new InvalidArgumentException(
                'The ability "feature" was asked for without a flag. On a route Laravel takes a name without quotes for a'
                . " route parameter's: write can:feature,'customer_portal', or the middleware feature:customer_portal",
            );
        }
        $app = Container::getInstance();
        $subject = $app->make(Subjects::class)->ofUser($user);
        if ($app->make(Flagstone::class)->asks(Flagstone::key($flag), $subject)) {
            return Response::allow();
        }

        return \method_exists(Response::class, 'denyAsNotFound') ? Response::denyAsNotFound() : new NotFound(Flagstone::key($flag));
    }
}
