<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Illuminate\Auth\GuardHelpers;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Authenticatable;
use Illuminate\Contracts\Auth\Guard;

/** Makes the user of the request's bearer token, and keeps none for the next request. */
final class BearerGuard implements Guard
{
    use GuardHelpers;

    /** @param Closure(string): Authenticatable $make */
    public function __construct(private readonly Closure $make)
    {
    }

    public function user(): ?Authenticatable
    {
        $token = Container::getInstance()->make('request')->bearerToken();

        return $token === null ? null : ($this->make)($token);
    }

    /** @param array<string, mixed> $credentials */
    public function validate(array $credentials = []): bool
    {
        return false;
    }
}
