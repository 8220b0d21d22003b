<?php

declare(strict_types=1);

namespace Laravel\Pennant\Contracts;

/** Stands for Pennant 1.18's contract of that name. */
interface Driver
{
    public function define(string $feature, callable $resolver): void;

    public function defined(): array;

    public function getAll(array $features): array;

    public function get(string $feature, mixed $scope): mixed;

    public function set(string $feature, mixed $scope, mixed $value): void;

    public function setForAllScopes(string $feature, mixed $value): void;

    public function delete(string $feature, mixed $scope): void;

    public function purge(?array $features): void;
}
