<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Illuminate\Auth\AuthManager;
use Illuminate\Auth\SessionGuard;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Authenticatable;
use Illuminate\Contracts\Auth\Guard;
use Illuminate\Http\Request;
use Throwable;

/**
 * Who is known to be signed in, at one moment. Looks nobody up: what a guard has not been asked yet, it does not know.
 *
 * Guards that read tokens, such as Sanctum's, dispatch no event when their user is set. Two of these tell that.
 *
 * @internal
 */
final class AuthState
{
    /**
     * @param array<string, object> $users by each guard that knows one
     * @param ?Guard $guard the default one
     */
    private function __construct(
        private readonly ?Closure $resolver,
        private readonly array $users,
        private readonly ?Guard $guard,
        private readonly ?object $user,
    ) {
    }

    public static function now(?Request $request = null): self
    {
        $app = Container::getInstance();
        $auth = $app->resolved('auth') ? $app->make('auth') : null;
        if (!$auth instanceof AuthManager) {
            return new self(null, [], null, null);
        }
        $request ??= $app->resolved('request') ? $app->make('request') : null;
        $guards = SignedIn::guards($auth);
        $default = $auth->getDefaultDriver();
        $users = \array_filter(\array_map(self::known(...), $guards));

        return new self($request === null ? null : SignedIn::ownResolver($request), $users, $guards[$default] ?? null, $users[$default] ?? null);
    }

    /** Whom a guard knows without looking anybody up. */
    private static function known(Guard $guard): ?object
    {
        return \method_exists($guard, 'hasUser') && $guard->hasUser() ? $guard->user() : null;
    }

    public function equals(self $other): bool
    {
        if ($this->resolver !== $other->resolver || $this->guard !== $other->guard || \array_keys($this->users) !== \array_keys($other->users)) {
            return false;
        }
        foreach ($this->users as $name => $user) {
            if (!self::isSame($user, $other->users[$name])) {
                return false;
            }
        }

        return true;
    }

    /**
     * Whether somebody else was set in between, rather than looked up by what the request or the session has named all along.
     */
    public function isSetSince(self $before): bool
    {
        if ($this->resolver !== null && $this->resolver !== $before->resolver) {
            return true;
        }
        if ($this->guard === null || $this->user === null || $this->guard === $before->guard && $this->user === $before->user) {
            return false;
        }
        // Another object of the same user may have been looked up once more.
        $isOther = $this->guard === $before->guard && $before->user !== null && !self::isSame($this->user, $before->user);

        return $isOther || !self::isFound($this->guard, $this->user);
    }

    /** Whether it is one user, be it in two objects. */
    public static function isSame(?object $one, ?object $other): bool
    {
        return $one === $other || $one instanceof Authenticatable && $other instanceof Authenticatable && $one::class === $other::class
            && $one->getAuthIdentifier() !== null && $one->getAuthIdentifier() === $other->getAuthIdentifier();
    }

    /** Whether the guard comes to this user by itself. */
    public static function isFound(Guard $guard, object $user): bool
    {
        if ($guard instanceof SessionGuard) {
            $named = $guard->getSession()->get($guard->getName());

            return $guard->viaRemember()
                || \is_scalar($named) && $user instanceof Authenticatable && (string) $named === (string) $user->getAuthIdentifier();
        }
        // Asked once more, as it was before it knew anybody: a query, in the closure that a token's user is first asked for in.
        try {
            $fresh = clone $guard;
            Closure::bind(static function (object $guard): void {
                $guard->user = null;
            }, null, $fresh::class)($fresh);

            return self::isSame($fresh->user(), $user);
        } catch (Throwable) {
            return false;
        }
    }
}
