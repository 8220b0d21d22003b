<?php

declare(strict_types=1);

namespace Laravel\Pennant\Drivers;

use Laravel\Pennant\Contracts\CanListStoredFeatures;
use Laravel\Pennant\Contracts\Driver;

/** Stands for Pennant's driver "array": resolves once, and keeps what came of it. */
final class StoringDriver implements CanListStoredFeatures, Driver
{
    /** @var array<string, callable(mixed): mixed> */
    private array $resolvers = [];

    /** @var array<string, array<string, mixed>> */
    private array $stored = [];

    public function define(string $feature, callable $resolver): void
    {
        $this->resolvers[$feature] = $resolver;
    }

    public function defined(): array
    {
        return \array_keys($this->resolvers);
    }

    public function stored(): array
    {
        return \array_keys($this->stored);
    }

    public function getAll(array $features): array
    {
        $answers = [];
        foreach ($features as $feature => $scopes) {
            $answers[$feature] = \array_map(fn (mixed $scope): mixed => $this->get($feature, $scope), $scopes);
        }

        return $answers;
    }

    public function get(string $feature, mixed $scope): mixed
    {
        return $this->stored[$feature][self::key($scope)] ??= isset($this->resolvers[$feature]) ? $this->resolvers[$feature]($scope) : false;
    }

    public function set(string $feature, mixed $scope, mixed $value): void
    {
        $this->stored[$feature][self::key($scope)] = $value;
    }

    public function setForAllScopes(string $feature, mixed $value): void
    {
        foreach (\array_keys($this->stored[$feature] ?? []) as $key) {
            $this->stored[$feature][$key] = $value;
        }
    }

    public function delete(string $feature, mixed $scope): void
    {
        unset($this->stored[$feature][self::key($scope)]);
    }

    public function purge(?array $features): void
    {
        $this->stored = $features === null ? [] : \array_diff_key($this->stored, \array_flip($features));
    }

    private static function key(mixed $scope): string
    {
        return \is_object($scope) ? 'object ' . $scope->id : \json_encode($scope);
    }
}
