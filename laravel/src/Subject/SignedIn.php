<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Illuminate\Auth\AuthManager;
use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Config\Repository;
use Illuminate\Container\Container;
use Illuminate\Http\Request;
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
    /** @var ?Closure(Container): array<string, object> what the container has made */
    private static ?Closure $made = null;

    /** @var ?Closure(AuthManager): Container whose configuration names the guard */
    private static ?Closure $container = null;

    /** @var ?Closure(Repository): mixed what it names */
    private static ?Closure $name = null;

    public static function of(Request $request): ?object
    {
        $resolver = new ReflectionFunction($request->getUserResolver());
        $provider = $resolver->getClosureThis();
        if ($provider === null || $provider::class !== AuthServiceProvider::class) {
            return $request->user();
        }
        if (self::$made === null) {
            self::$made = Closure::bind(static fn (Container $app): array => $app->instances ?? [], null, Container::class);
            self::$container = Closure::bind(static fn (AuthManager $auth): Container => $auth->app, null, AuthManager::class);
            self::$name = Closure::bind(
                static fn (Repository $config): mixed => $config->items['auth']['defaults']['guard'] ?? null,
                null,
                Repository::class,
            );
        }
        $auth = (self::$made)($resolver->getClosureUsedVariables()['app'])['auth'] ?? null;
        if ($auth === null || $auth::class !== AuthManager::class
            || (new ReflectionFunction($auth->userResolver()))->getClosureThis() !== $auth) {
            return $request->user();
        }
        $config = (self::$made)((self::$container)($auth))['config'] ?? null;
        $name = $config !== null && $config::class === Repository::class ? (self::$name)($config) : null;

        return \is_string($name) ? $auth->guard($name)->user() : $request->user();
    }

    /** A console's request, and so a test's before its first own, does not know. */
    public static function inConsole(): ?object
    {
        $app = Container::getInstance();

        return $app->bound('auth') ? $app->make('auth')->guard()->user() : null;
    }
}
