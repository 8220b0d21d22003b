<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Http\Request;

/** Has the whole request ask for the company 15. */
final class ActsForFifteen
{
    public function handle(Request $request, Closure $next): mixed
    {
        return Flagstone::actingFor(15, static fn (): mixed => $next($request));
    }
}
