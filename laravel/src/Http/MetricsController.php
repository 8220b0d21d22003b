<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Changes\ResultCache;
use Flagstone\Laravel\Warnings;
use Illuminate\Http\Response;

/**
 * The route named by `routes.metrics` in config/flagstone.php: the output of `flagstone metrics`, for Prometheus and similar tools,
 * at most five seconds old. Paths, and the command's errors, go to the log and not into the answer.
 */
final class MetricsController
{
    private const TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

    private const FAILURE = "cannot collect metrics: the application's log says why, and so does `php artisan feature:stats`\n";

    public function __invoke(Changer $changer, ResultCache $cache, Warnings $warnings): Response
    {
        $result = $cache->get('metrics', static fn (): Result => $changer->command(['metrics'], false, Binary::TIMEOUT));
        if ($result->code !== Result::DONE) {
            $warnings->monitoring($result->error);

            return new Response(self::FAILURE, 503, ['Content-Type' => 'text/plain; charset=utf-8', 'Cache-Control' => 'no-store']);
        }
        // The error's text names files.
        $text = \preg_replace('/^(flagstone_last_error_info)\{.*\} 1$/m', '$1{error="see the log"} 1', $result->text);

        return new Response("$text\n", 200, ['Content-Type' => self::TYPE, 'Cache-Control' => 'no-store']);
    }
}
