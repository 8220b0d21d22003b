<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Illuminate\Http\Request;

/** Stands for another package's middleware. */
final class FindTenant
{
    public function handle(Request $request, Closure $next): mixed
    {
        return $next($request);
    }
}
