<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Illuminate\Http\Response;

/**
 * The route that config/flagstone.php, `routes.metrics`, names: what `flagstone metrics` prints, for Prometheus and its kin.
 */
final class MetricsController
{
    private const TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

    public function __invoke(Changer $changer): Response
    {
        $result = $changer->command(['metrics']);
        if ($result->code !== Result::DONE) {
            return new Response("$result->error\n", 503, ['Content-Type' => 'text/plain; charset=utf-8', 'Cache-Control' => 'no-store']);
        }

        return new Response("$result->text\n", 200, ['Content-Type' => self::TYPE, 'Cache-Control' => 'no-store']);
    }
}
