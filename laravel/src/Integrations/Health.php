<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Warnings;
use RuntimeException;

/**
 * Joins the application's health route. It is unhealthy if no flag can be answered. If definitions older than the published ones
 * answer it is healthy, since restarting it would lose them, and the log says so once an hour. The route may be public: the
 * reason, which names files, is only in the log.
 *
 * @internal
 */
final class Health
{
    public function __construct(private readonly Flagstone $flagstone, private readonly Warnings $warnings)
    {
    }

    /** @throws RuntimeException if every flag is off for lack of definitions */
    public function handle(): void
    {
        $status = $this->flagstone->driver()->status();
        $error = $status['last_error'] ?? null;
        if ($status['source'] === 'none') {
            $this->warnings->none($error);

            throw new RuntimeException('Every flag is off, for there are no definitions to answer from');
        }
        if ($error !== null) {
            $this->warnings->degraded($error);
        }
    }
}
