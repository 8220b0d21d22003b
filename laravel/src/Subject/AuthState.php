<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Illuminate\Auth\AuthManager;
use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Auth\SessionGuard;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Authenticatable;
use Illuminate\Contracts\Auth\Guard;
use Illuminate\Http\Request;
use ReflectionFunction;
use Throwable;

/**
 * The users known to be signed in, at one moment. Looks up no user: a guard that was not asked yet does not know its user.
 *
 * Guards that read tokens, such as Sanctum's, dispatch no event when their user is set. Comparing two states detects that.
 *
 * @internal
 */
final class AuthState
{
    /**
     * @param array<string, object> $users by guard, for each that knows one
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
        $guards = self::guards($auth);
        $default = $auth->getDefaultDriver();
        $users = \array_filter(\array_map(self::known(...), $guards));

        return new self($request === null ? null : self::ownResolver($request), $users, $guards[$default] ?? null, $users[$default] ?? null);
    }

    /** The request's own resolver, unless it is Laravel's. */
    private static function ownResolver(Request $request): ?Closure
    {
        $resolver = $request->getUserResolver();
        $from = (new ReflectionFunction($resolver))->getClosureThis();

        return $from instanceof AuthServiceProvider || $from instanceof Request ? null : $resolver;
    }

    /** @return array<string, Guard> those that were made already */
    private static function guards(AuthManager $auth): array
    {
        $guards = Closure::bind(static fn (): array => $auth->guards, null, AuthManager::class)();

        return \array_filter($guards, static fn (mixed $guard): bool => $guard instanceof Guard);
    }

    /** The user that a guard knows without a lookup. */
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
     * True if another user was set in between, rather than looked up from the same request or session.
     */
    public function isSetSince(self $before): bool
    {
        if ($this->resolver !== null && $this->resolver !== $before->resolver) {
            return true;
        }
        if ($this->guard === null || $this->user === null || $this->guard === $before->guard && $this->user === $before->user) {
            return false;
        }
        // The same user may have been looked up again as another object.
        $isOther = $this->guard === $before->guard && $before->user !== null && !self::isSame($this->user, $before->user);

        return $isOther || !self::isFound($this->guard, $this->user);
    }

    /**
     * True if the default guard has the user that it had before, who belongs to the same company.
     *
     * @param Closure(object): mixed $company of a user
     */
    public function isBack(self $before, Closure $company): bool
    {
        return $this->resolver === $before->resolver && $this->guard === $before->guard && self::isSame($this->user, $before->user)
            && ($this->user === $before->user || $company($this->user) === $company($before->user));
    }

    /** The users known before, and those of a guard that knew none. */
    public function withFound(self $now): self
    {
        return $this->user === null || $this->guard !== $now->guard ? $now : $this;
    }

    /** True if both are one user, even as two objects. */
    public static function isSame(?object $one, ?object $other): bool
    {
        return $one === $other || $one instanceof Authenticatable && $other instanceof Authenticatable && $one::class === $other::class
            && $one->getAuthIdentifier() !== null && $one->getAuthIdentifier() === $other->getAuthIdentifier();
    }

    /** True if the guard finds this user by itself. */
    public static function isFound(Guard $guard, object $user): bool
    {
        if ($guard instanceof SessionGuard) {
            $named = $guard->getSession()->get($guard->getName());

            return $guard->viaRemember()
                || \is_scalar($named) && $user instanceof Authenticatable && (string) $named === (string) $user->getAuthIdentifier();
        }
        // Asks a copy without a user: a query, in the closure in which a token's user is first asked for.
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
