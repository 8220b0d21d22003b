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
 * The user that $request->user() returns.
 *
 * Laravel's way to that user takes two closures, four calls of the container and a search in the configuration: more than the
 * rest of a flag together. If these are all Laravel's own, the same guard is asked directly; anything else, such as
 * Auth::resolveUsersUsing() or a request's own resolver, is left to the request.
 *
 * @internal
 */
final class SignedIn
{
    /** @var ?Closure(object): mixed reads the objects that the container has made */
    private static ?Closure $made = null;

    /** @var ?Closure(object): mixed reads the container whose configuration names the guard */
    private static ?Closure $container = null;

    /** @var ?Closure(object): mixed reads the guards that were made */
    private static ?Closure $guards = null;

    /** @var ?Closure(object): mixed reads that configuration */
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

    /** Laravel's own way to the signed-in user; null if something else decides. */
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
     * True if the way is unchanged, and leads to this user. Optimized: runs at each question of a request.
     */
    public function leadsTo(object $user, Request $request): bool
    {
        return $request->getUserResolver() === $this->resolver && $this->auth->userResolver() === $this->users
            && ((self::$items)($this->settings)['auth']['defaults']['guard'] ?? null) === $this->name
            && $this->auth->guard($this->name)->user() === $user;
    }

    /** The request's own resolver, unless it is Laravel's. */
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

    /** Asks by Laravel's own means. */
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
     * Makes a reader of a private property.
     *
     * @param class-string $class
     * @return Closure(object): mixed
     */
    private static function reader(string $class, string $property): Closure
    {
        return Closure::bind(static fn (object $of): mixed => $of->{$property} ?? null, null, $class)
            ?? throw new LogicException("$class cannot be read");
    }

    /** The user of a console's request, and so of a test's before its first own: the request does not know it. */
    public static function inConsole(): ?object
    {
        $app = Container::getInstance();

        return $app->bound('auth') ? $app->make('auth')->guard()->user() : null;
    }
}
