<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Contracts\Driver;

/** Hands everything on to the driver behind it. */
abstract class PassesOn implements Driver
{
    public function __construct(protected readonly Driver $driver)
    {
    }

    public function refresh(): bool
    {
        return $this->driver->refresh();
    }

    public function name(): string
    {
        return $this->driver->name();
    }

    public function enabled(string $flag, int|string|null $company = null, array $context = []): bool
    {
        return $this->driver->enabled($flag, $company, $context);
    }

    public function peek(string $flag, int|string|null $company = null, array $context = []): bool
    {
        return $this->driver->peek($flag, $company, $context);
    }

    public function possible(string $flag): bool
    {
        return $this->driver->possible($flag);
    }

    public function variant(string $flag, int|string|null $company = null, array $context = []): ?string
    {
        return $this->driver->variant($flag, $company, $context);
    }

    public function value(string $flag, int|string|null $company = null, array $context = [], mixed $default = null): mixed
    {
        return $this->driver->value($flag, $company, $context, $default);
    }

    public function explain(string $flag, int|string|null $company = null, array $context = []): array
    {
        return $this->driver->explain($flag, $company, $context);
    }

    public function all(int|string|null $company = null, array $context = []): array
    {
        return $this->driver->all($company, $context);
    }

    public function filter(string $flag, array $companies, array $context = []): array
    {
        return $this->driver->filter($flag, $companies, $context);
    }

    public function needs(string $flag): array
    {
        return $this->driver->needs($flag);
    }

    public function names(): array
    {
        return $this->driver->names();
    }

    public function status(): array
    {
        return $this->driver->status();
    }
}
