<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Warnings;
use RuntimeException;

/**
 * Takes part in the application's health route. It is unhealthy where no flag can be answered. Where older
 * definitions answer than are published it is healthy, since restarting it would lose them, and the log says so once an hour. The
 * route may be open to everybody: the reason, which names files, is in the log alone.
 *
 * @internal
 */
final class Health
{
    public function __construct(private readonly Flagstone $flagstone, private readonly Warnings $warnings)
    {
    }

    /** @throws RuntimeException where every flag is off for want of definitions */
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
