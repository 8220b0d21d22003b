<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Auth\Middleware\Authenticate as LaravelAuthenticate;
use Illuminate\Http\Request;

final class Authenticate extends LaravelAuthenticate
{
    /** @param Request $request */
    protected function redirectTo($request): ?string
    {
        return $request->expectsJson() ? null : '/login';
    }
}
