<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Illuminate\Concurrency\ConcurrencyManager;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Process\Factory;

/**
 * Gives Laravel's concurrency (11.23 and later) a driver whose processes act for the subject that started them. The other drivers
 * of Laravel run in the same process, or in a copy of it, and need nothing.
 *
 * @internal
 */
final class Processes
{
    public function register(ConcurrencyManager $concurrency): void
    {
        // Not static: the manager binds it to itself.
        $concurrency->extend('process', fn (Application $app): ActingProcesses => new ActingProcesses($app->make(Factory::class)));
    }
}
