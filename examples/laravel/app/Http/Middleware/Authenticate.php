<?php

declare(strict_types=1);

namespace App\Http\Middleware;

use Illuminate\Auth\Middleware\Authenticate as LaravelAuthenticate;
use Illuminate\Http\Request;

class Authenticate extends LaravelAuthenticate
{
    /** @param Request $request */
    protected function redirectTo($request): ?string
    {
        return route('login');
    }
}
