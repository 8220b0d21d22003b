<?php

declare(strict_types=1);

namespace Bench;

use Closure;
use Illuminate\Http\Request;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

/**
 * What teams write next: the middleware in front of FeatureFlagService.
 */
final class TableMiddleware
{
    public function __construct(private FeatureFlagService $service)
    {
    }

    public function handle(Request $request, Closure $next, string $feature, string $connection, string $cache = ''): mixed
    {
        if (!$this->service->isEnabled($feature, $request->user()?->company_id, $connection, $cache)) {
            throw new NotFoundHttpException();
        }

        return $next($request);
    }
}
