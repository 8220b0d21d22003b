<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Illuminate\Auth\AuthManager;
use Illuminate\Auth\SessionGuard;
use Illuminate\Contracts\Container\Container;
use Illuminate\Http\Request;
use Illuminate\Routing\Router;
use Illuminate\Session\SessionManager;

/**
 * Makes a request look as if no route matched: without a current route, a session, or the user found by the route's middleware.
 *
 * An error page rendered in this state is the page of a path that does not exist. A user that was set by hand, as tests do,
 * stays.
 *
 * @internal
 */
final class Unmatched
{
    public function __construct(private readonly Container $container, private readonly Router $router)
    {
    }

    /**
     * Runs `$do` in this state and restores everything: middleware around the route go on with their session and their user.
     *
     * @template T
     * @param Closure(): T $do
     * @return T
     */
    public function during(Request $request, Closure $do): mixed
    {
        $restore = $this->make($request);
        try {
            return $do();
        } finally {
            foreach ($restore as $one) {
                $one();
            }
        }
    }

    /**
     * @param ?array<string, mixed> $cookies the cookies before a middleware decrypted them; null: not known
     * @param mixed $guard the default guard before a middleware chose another; null: not known
     * @return list<Closure(): void> put everything back
     */
    public function make(Request $request, ?array $cookies = null, mixed $guard = null): array
    {
        return [...self::cookies($request, $cookies), $this->route($request), ...$this->session($request), ...$this->users($request, $guard)];
    }

    /**
     * @param ?array<string, mixed> $cookies
     * @return list<Closure(): void>
     */
    private static function cookies(Request $request, ?array $cookies): array
    {
        $before = $request->cookies->all();
        if ($cookies !== null) {
            $request->cookies->replace($cookies);
        }

        return [static fn () => $request->cookies->replace($before)];
    }

    private function route(Request $request): Closure
    {
        $resolver = $request->getRouteResolver();
        $request->setRouteResolver(static fn () => null);
        $current = self::replace($this->router, Router::class, 'current', null);

        return static function () use ($request, $resolver, $current): void {
            $request->setRouteResolver($resolver);
            $current();
        };
    }

    /** @return list<Closure> */
    private function session(Request $request): array
    {
        $restore = [self::replace($request, \Symfony\Component\HttpFoundation\Request::class, 'session', null)];
        $sessions = $this->container->bound('session') && $this->container->resolved('session') ? $this->container->make('session') : null;
        if ($sessions instanceof SessionManager) {
            $restore[] = self::replace($sessions, \Illuminate\Support\Manager::class, 'drivers', []);
            $store = $this->container->resolved('session.store') ? $this->container->make('session.store') : null;
            if ($store !== null) {
                $this->container->forgetInstance('session.store');
                $restore[] = fn () => $this->container->instance('session.store', $store);
            }
        }

        return $restore;
    }

    /** @return list<Closure> */
    private function users(Request $request, mixed $default): array
    {
        $auth = $this->container->resolved('auth') ? $this->container->make('auth') : null;
        if (!$auth instanceof AuthManager) {
            return [];
        }
        $kept = $restore = [];
        foreach (Closure::bind(static fn (AuthManager $auth): array => $auth->guards, null, AuthManager::class)($auth) as $name => $guard) {
            if (!$guard instanceof SessionGuard) {
                continue;
            }
            if ($guard->hasUser() && $guard->getSession()->get($guard->getName()) === null) {
                $kept[$name] = $guard;
            }
            // Decrypted by now; without a matching route it would not be.
            $request->cookies->remove($guard->getRecallerName());
        }
        $restore[] = self::replace($auth, AuthManager::class, 'guards', $kept);
        $changed = $auth->getDefaultDriver();
        if (\is_string($default) && $default !== $changed) {
            $auth->setDefaultDriver($default);
            $restore[] = static fn () => $auth->setDefaultDriver($changed);
        }

        return $restore;
    }

    /**
     * Sets a property of Laravel's that has no setter.
     *
     * @param class-string $class
     * @return Closure(): void restores the old value
     */
    private static function replace(object $object, string $class, string $property, mixed $value): Closure
    {
        $write = Closure::bind(static function (mixed $value) use ($object, $property): mixed {
            $before = $object->{$property} ?? null;
            $object->{$property} = $value;

            return $before;
        }, null, $class);
        $before = $write($value);

        return static function () use ($write, $before): void {
            $write($before);
        };
    }
}
