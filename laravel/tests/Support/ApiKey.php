<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;

/** An application's own authentication, by a key that is the company's id. */
final class ApiKey
{
    public function handle(Request $request, Closure $next): mixed
    {
        Auth::setUser(new User(['id' => 1, 'company_id' => (int) $request->header('X-Key')]));

        return $next($request);
    }
}
