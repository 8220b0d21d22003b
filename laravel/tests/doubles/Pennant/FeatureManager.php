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

    public function store(string $name): Driver
    {
        $config = $this->container['config']["pennant.stores.$name"];

        return $this->makers[$config['driver']]($this->container, $config);
    }
}
