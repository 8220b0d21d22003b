<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Illuminate\Container\Container;
use Illuminate\Routing\PendingResourceRegistration;
use Illuminate\Routing\PendingSingletonResourceRegistration;
use UnitEnum;

/**
 * Routes of a resource that flags guard: Route::resource('portals', PortalController::class)->feature('customer_portal').
 *
 * All other calls go to Laravel's pending resource. The flags are put on its routes when these are registered, so that a
 * middleware() after feature(), which replaces the resource's middleware, does not open them.
 *
 * @mixin PendingResourceRegistration
 */
final class GuardedResource
{
    private bool $isRegistered = false;

    /**
     * @param PendingResourceRegistration|PendingSingletonResourceRegistration $pending
     * @param list<string> $guards middleware
     */
    public function __construct(private readonly object $pending, private array $guards)
    {
    }

    /** Requires all of these flags to be on, too. */
    public function feature(string|UnitEnum ...$flags): static
    {
        $this->guards[] = CheckFeatureFlag::using(...$flags);

        return $this;
    }

    /** @param array<array-key, mixed> $arguments */
    public function __call(string $method, array $arguments): mixed
    {
        $result = $this->pending->{$method}(...$arguments);

        return $result === $this->pending ? $this : $result;
    }

    /** Same as Laravel's own. Registers in a group, since Laravel returns no routes if the resource's name has a slash. */
    public function register(): mixed
    {
        $this->isRegistered = true;
        $routes = null;
        Container::getInstance()->make('router')->group(['middleware' => $this->guards], function () use (&$routes): void {
            $routes = $this->pending->register();
        });

        return $routes;
    }

    public function __destruct()
    {
        if (!$this->isRegistered) {
            $this->register();
        }
    }
}
