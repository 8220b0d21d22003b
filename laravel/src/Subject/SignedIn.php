<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Value;
use Illuminate\Auth\AuthManager;
use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Config\Repository;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Guard;
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

    /** @var ?Closure(object): mixed the guards that were made */
    private static ?Closure $guards = null;

    /** @var ?Closure(object): mixed that configuration */
    private static ?Closure $items = null;

    private function __construct(
        private readonly Closure $resolver,
        private readonly AuthManager $auth,
        private readonly Closure $users,
        private readonly Repository $settings,
        private readonly string $name,
    ) {
    }

    public static function of(Request $request): ?object
    {
        $way = self::way($request);

        return $way === null ? self::asked($request) : $way->user();
    }

    public function user(): ?object
    {
        return $this->auth->guard($this->name)->user();
    }

    /** Laravel's own way to whoever is signed in; null where something else decides. */
    public static function way(Request $request): ?self
    {
        $resolver = $request->getUserResolver();
        $reflection = new ReflectionFunction($resolver);
        $provider = $reflection->getClosureThis();
        if ($provider === null || $provider::class !== AuthServiceProvider::class) {
            return null;
        }
        $auth = self::made($reflection->getClosureUsedVariables()['app'] ?? null, 'auth');
        if (!$auth instanceof AuthManager || $auth::class !== AuthManager::class) {
            return null;
        }
        $users = $auth->userResolver();
        if ((new ReflectionFunction($users))->getClosureThis() !== $auth) {
            return null;
        }
        self::$container ??= self::reader(AuthManager::class, 'app');
        $settings = self::made((self::$container)($auth), 'config');
        if (!$settings instanceof Repository || $settings::class !== Repository::class) {
            return null;
        }
        self::$items ??= self::reader(Repository::class, 'items');
        $name = Value::text((self::$items)($settings), 'auth', 'defaults', 'guard');

        return $name === null ? null : new self($resolver, $auth, $users, $settings, $name);
    }

    /**
     * Whether the way is the same as it was, and ends at this user. As quick as it can be: each question of a request asks it.
     */
    public function leadsTo(object $user, Request $request): bool
    {
        return $request->getUserResolver() === $this->resolver && $this->auth->userResolver() === $this->users
            && ((self::$items)($this->settings)['auth']['defaults']['guard'] ?? null) === $this->name
            && $this->auth->guard($this->name)->user() === $user;
    }

    /** The request's own resolver, where that is not Laravel's. */
    public static function ownResolver(Request $request): ?Closure
    {
        $resolver = $request->getUserResolver();
        $from = (new ReflectionFunction($resolver))->getClosureThis();

        return $from instanceof AuthServiceProvider || $from instanceof Request ? null : $resolver;
    }

    /** @return array<string, Guard> those that were made already */
    public static function guards(AuthManager $auth): array
    {
        self::$guards ??= self::reader(AuthManager::class, 'guards');
        $guards = (self::$guards)($auth);

        return \is_array($guards) ? \array_filter($guards, static fn (mixed $guard): bool => $guard instanceof Guard) : [];
    }

    /** As Laravel finds it. */
    public static function asked(Request $request): ?object
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
