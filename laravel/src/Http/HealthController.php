<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Integrations\HealthReport;
use Illuminate\Http\JsonResponse;

/**
 * The route that config/flagstone.php, `routes.health`, names. 503 where it fails; stale definitions alone are no failure.
 */
final class HealthController
{
    public function __invoke(HealthReport $report): JsonResponse
    {
        $found = $report->now();

        return new JsonResponse(
            $found,
            $found['status'] === HealthReport::FAILING ? 503 : 200,
            ['Cache-Control' => 'no-store'],
            \JSON_UNESCAPED_SLASHES | \JSON_PRESERVE_ZERO_FRACTION | \JSON_INVALID_UTF8_SUBSTITUTE,
        );
    }
}
