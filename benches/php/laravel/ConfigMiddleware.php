<?php

declare(strict_types=1);

namespace Bench;

use Closure;
use Illuminate\Http\Request;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

/**
 * What teams write first: the switch and a list of test companies in config/features.php, filled from .env.
 */
final class ConfigMiddleware
{
    public function handle(Request $request, Closure $next, string $feature): mixed
    {
        if (!config("features.$feature")) {
            throw new NotFoundHttpException();
        }
        $companies = config("features.{$feature}_test_companies", []);
        if ($companies !== [] && !in_array($request->user()?->company_id, $companies)) {
            throw new NotFoundHttpException();
        }

        return $next($request);
    }
}
