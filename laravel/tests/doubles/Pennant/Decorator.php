<?php

declare(strict_types=1);

namespace Laravel\Pennant\Drivers;

use Illuminate\Support\Collection;
use Laravel\Pennant\Contracts\Driver;

/** Stands for Pennant's decorator: just so much of its cache as matters. */
final class Decorator
{
    /** @var Collection<int, array{feature: string, scope: mixed, value: mixed}> */
    protected $cache;

    public function __construct(private readonly Driver $driver)
    {
        $this->flushCache();
    }

    public function get(string $feature, mixed $scope): mixed
    {
        $item = $this->cache->whereStrict('scope', $scope)->whereStrict('feature', $feature)->first();
        if ($item !== null) {
            return $item['value'];
        }
        $value = $this->driver->get($feature, $scope);
        $this->cache[] = ['feature' => $feature, 'scope' => $scope, 'value' => $value];

        return $value;
    }

    /** Pennant's is protected, and what it loads ahead goes by it. */
    public function isCached(string $feature, mixed $scope): bool
    {
        return $this->cache->search(static fn (array $item): bool => $item['feature'] === $feature && $item['scope'] === $scope) !== false;
    }

    public function set(string $feature, mixed $scope, mixed $value): void
    {
        $this->driver->set($feature, $scope, $value);
        $this->cache[] = ['feature' => $feature, 'scope' => $scope, 'value' => $value];
    }

    public function purge(?array $features = null): void
    {
        $this->driver->purge($features);
        if ($features === null) {
            $this->flushCache();
        }
    }

    public function setForAllScopes(string $feature, mixed $value): void
    {
        $this->driver->setForAllScopes($feature, $value);
        $this->cache = $this->cache->reject(static fn (array $item): bool => $item['feature'] === $feature);
    }

    public function flushCache(): void
    {
        $this->cache = new Collection();
    }

    public function getDriver(): Driver
    {
        return $this->driver;
    }

    public function __call(string $method, array $arguments): mixed
    {
        return $this->driver->{$method}(...$arguments);
    }
}
