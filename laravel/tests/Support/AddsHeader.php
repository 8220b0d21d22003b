<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Illuminate\Http\Request;
use Symfony\Component\HttpFoundation\Response;

/** A middleware of the application that signs nobody in. */
final class AddsHeader
{
    public function handle(Request $request, Closure $next): Response
    {
        $response = $next($request);
        $response->headers->set('X-Application', 'yes');

        return $response;
    }
}
