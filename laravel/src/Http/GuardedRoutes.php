<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Illuminate\Routing\PendingResourceRegistration;
use Illuminate\Routing\RouteRegistrar;
use UnitEnum;

/**
 * Laravel's chain for groups of routes, with feature(): Route::middleware('auth')->feature('customer_portal')->group(…).
 *
 * A later middleware() replaces an earlier one in the chain; the flags stay.
 */
final class GuardedRoutes extends RouteRegistrar
{
    /** @var list<string> middleware */
    private array $guards = [];

    /** Requires all of these flags to be on. */
    public function feature(string|UnitEnum ...$flags): static
    {
        $this->guards[] = CheckFeatureFlag::using(...$flags);

        return $this->guarded();
    }

    /**
     * @param string $key
     * @param mixed $value
     * @return $this
     */
    public function attribute($key, $value)
    {
        parent::attribute($key, $value);

        return $key === 'middleware' ? $this->guarded() : $this;
    }

    /**
     * @param string $name
     * @param string $controller
     * @param array<string, mixed> $options
     * @return PendingResourceRegistration|GuardedResource
     */
    public function resource($name, $controller, array $options = [])
    {
        return $this->resourceOf(parent::resource($name, $controller, $options));
    }

    /**
     * @param string $name
     * @param string $controller
     * @param array<string, mixed> $options
     * @return PendingResourceRegistration|GuardedResource
     */
    public function apiResource($name, $controller, array $options = [])
    {
        return $this->resourceOf(parent::apiResource($name, $controller, $options));
    }

    /**
     * @param string $name
     * @param string $controller
     * @param array<string, mixed> $options
     * @return object
     */
    public function singleton($name, $controller, array $options = [])
    {
        return $this->resourceOf(parent::singleton($name, $controller, $options));
    }

    /**
     * @param string $name
     * @param string $controller
     * @param array<string, mixed> $options
     * @return object
     */
    public function apiSingleton($name, $controller, array $options = [])
    {
        return $this->resourceOf(parent::apiSingleton($name, $controller, $options));
    }

    private function guarded(): static
    {
        if ($this->guards !== []) {
            $named = (array) ($this->attributes['middleware'] ?? []);
            $this->attributes['middleware'] = [...\array_diff($named, $this->guards), ...$this->guards];
        }

        return $this;
    }

    private function resourceOf(object $pending): object
    {
        return $this->guards === [] ? $pending : new GuardedResource($pending, $this->guards);
    }
}
