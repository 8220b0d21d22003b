<?php

declare(strict_types=1);

namespace Bench;

use Closure;
use Illuminate\Http\Request;

/**
 * What the framework itself takes for one middleware more.
 */
final class NothingMiddleware
{
    public function handle(Request $request, Closure $next): mixed
    {
        return $next($request);
    }
}
