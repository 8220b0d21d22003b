<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Integrations\HealthReport;
use Flagstone\Laravel\Value;
use Flagstone\Laravel\Warnings;
use Illuminate\Http\JsonResponse;

/**
 * The route named by `routes.health` in config/flagstone.php. Answers 503 if it is failing; stale definitions alone are no failure.
 * The answer names no path: the log and `feature:health` do.
 */
final class HealthController
{
    public function __invoke(HealthReport $report, Warnings $warnings): JsonResponse
    {
        $found = $report->now();
        unset($found['flagstone']['store']);
        foreach (['last_error', 'warning'] as $name) {
            $text = $found['flagstone'][$name];
            if (\is_string($text)) {
                $warnings->monitoring($text);
                $found['flagstone'][$name] = 'see the log, or php artisan feature:health';
            }
        }

        $problems = Value::texts($found['flagstone'], 'problems');
        \array_map($warnings->monitoring(...), $problems);
        $found['flagstone']['problems'] = \count($problems);

        return new JsonResponse(
            $found,
            $found['status'] === HealthReport::FAILING ? 503 : 200,
            ['Cache-Control' => 'no-store'],
            \JSON_UNESCAPED_SLASHES | \JSON_PRESERVE_ZERO_FRACTION | \JSON_INVALID_UTF8_SUBSTITUTE,
        );
    }
}
