<?php

declare(strict_types=1);

namespace Laravel\Pennant;

use Closure;
use Illuminate\Contracts\Container\Container;
use Laravel\Pennant\Contracts\Driver;

/** Stands for Pennant 1.18's manager of that name: how it takes and calls a driver's maker. */
final class FeatureManager
{
    /** @var array<string, Closure> */
    private array $makers = [];

    public function __construct(private readonly Container $container)
    {
    }

    public function extend(string $driver, Closure $callback): self
    {
        $this->makers[$driver] = $callback->bindTo($this, $this);

        return $this;
    }

    /** @var ?callable */
    private $defaultScopeResolver = null;

    public function resolveScopeUsing(callable $resolver): void
    {
        $this->defaultScopeResolver = $resolver;
    }

    /** As Pennant asks where no scope is named. */
    public function active(string $feature, string $store = 'flagstone'): bool
    {
        $scope = $this->defaultScopeResolver !== null ? ($this->defaultScopeResolver)($store) : $this->container['auth']->guard()->user();

        return $this->store($store)->get($feature, $scope) !== false;
    }

    /** @var array<string, object> */
    private array $stores = [];

    /** As Pennant does: a decorator before the driver, made once. */
    public function decorated(string $name): object
    {
        return $this->stores[$name] ??= new \Laravel\Pennant\Drivers\Decorator($this->made($name));
    }

    public function store(string $name): object
    {
        return \class_exists(\Laravel\Pennant\Drivers\Decorator::class, false) ? $this->decorated($name) : $this->stores[$name] ??= $this->made($name);
    }

    private function made(string $name): Driver
    {
        $config = $this->container['config']["pennant.stores.$name"];

        return $this->makers[$config['driver']]($this->container, $config);
    }
}
