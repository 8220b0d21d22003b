<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Value;
use Illuminate\Auth\AuthManager;
use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Config\Repository;
use Illuminate\Container\Container;
use Illuminate\Http\Request;
use LogicException;
use ReflectionFunction;

/**
 * Whom $request->user() gives.
 *
 * That takes Laravel two closures, four rounds through the container and a search in the configuration, more than all else
 * together that a flag takes. Where these are Laravel's own the same guard is asked without them; anything else, such as
 * Auth::resolveUsersUsing() or a request's own resolver, is left to the request.
 *
 * @internal
 */
final class SignedIn
{
    /** @var ?Closure(object): mixed what the container has made */
    private static ?Closure $made = null;

    /** @var ?Closure(object): mixed the container whose configuration names the guard */
    private static ?Closure $container = null;

    /** @var ?Closure(object): mixed that configuration */
    private static ?Closure $items = null;

    public static function of(Request $request): ?object
    {
        $resolver = new ReflectionFunction($request->getUserResolver());
        $provider = $resolver->getClosureThis();
        if ($provider === null || $provider::class !== AuthServiceProvider::class) {
            return self::user($request);
        }
        $auth = self::made($resolver->getClosureUsedVariables()['app'] ?? null, 'auth');
        if (!$auth instanceof AuthManager || $auth::class !== AuthManager::class
            || (new ReflectionFunction($auth->userResolver()))->getClosureThis() !== $auth) {
            return self::user($request);
        }
        self::$container ??= self::reader(AuthManager::class, 'app');
        $config = self::made((self::$container)($auth), 'config');
        if (!$config instanceof Repository || $config::class !== Repository::class) {
            return self::user($request);
        }
        self::$items ??= self::reader(Repository::class, 'items');
        $name = Value::text((self::$items)($config), 'auth', 'defaults', 'guard');

        return $name === null ? self::user($request) : $auth->guard($name)->user();
    }

    /** As Laravel finds it. */
    public static function user(Request $request): ?object
    {
        $user = $request->user();

        return \is_object($user) ? $user : null;
    }

    private static function made(mixed $container, string $name): mixed
    {
        if (!$container instanceof Container) {
            return null;
        }
        self::$made ??= self::reader(Container::class, 'instances');
        $made = (self::$made)($container);

        return \is_array($made) ? $made[$name] ?? null : null;
    }

    /**
     * Of a property that only the class itself reads.
     *
     * @param class-string $class
     * @return Closure(object): mixed
     */
    private static function reader(string $class, string $property): Closure
    {
        return Closure::bind(static fn (object $of): mixed => $of->{$property} ?? null, null, $class)
            ?? throw new LogicException("$class cannot be read");
    }

    /** A console's request, and so a test's before its first own, does not know. */
    public static function inConsole(): ?object
    {
        $app = Container::getInstance();

        return $app->bound('auth') ? $app->make('auth')->guard()->user() : null;
    }
}
