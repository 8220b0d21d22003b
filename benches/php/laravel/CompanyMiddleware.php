<?php

declare(strict_types=1);

namespace Bench;

use Closure;
use Illuminate\Http\Request;

/**
 * Only finds out which company is asking, as everybody must.
 */
final class CompanyMiddleware
{
    public function handle(Request $request, Closure $next): mixed
    {
        return $request->user()?->company_id === null ? null : $next($request);
    }
}
