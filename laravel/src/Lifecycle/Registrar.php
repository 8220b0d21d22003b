<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Lifecycle;

use Flagstone\Laravel\Flagstone;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\Looping;
use Illuminate\Queue\Jobs\SyncJob;

/**
 * Listens to Octane, by its events' names, and to queue workers.
 *
 * @internal
 */
final class Registrar
{
    /** Octane's: what begins, and what ends it. */
    private const OCTANE = [
        'Laravel\Octane\Events\RequestReceived' => 'Laravel\Octane\Events\RequestTerminated',
        'Laravel\Octane\Events\TaskReceived' => 'Laravel\Octane\Events\TaskTerminated',
        'Laravel\Octane\Events\TickReceived' => 'Laravel\Octane\Events\TickTerminated',
    ];
    private const OCTANE_ERROR = 'Laravel\Octane\Events\WorkerErrorOccurred';

    public function register(Application $app): void
    {
        $app->singleton(Pin::class, static fn (Application $app): Pin => new Pin(
            $app->make(Flagstone::class),
            !$app->runningInConsole(),
        ));
        $pin = static fn (): Pin => $app->make(Pin::class);
        $events = $app->make(Dispatcher::class);
        foreach (self::OCTANE as $begin => $end) {
            $events->listen($begin, static function () use ($pin, $begin): void {
                // A worker answers one request after the other: one that did not end well is over.
                if ($begin === \array_key_first(self::OCTANE)) {
                    $pin()->endAll();
                }
                $pin()->isWorker();
                $pin()->begin($begin);
            });
            $events->listen($end, static fn () => $pin()->end($begin));
        }
        $events->listen([self::OCTANE_ERROR, Looping::class], static fn () => $pin()->endAll());
        $events->listen(JobProcessing::class, static function (JobProcessing $event) use ($pin): void {
            // A sync job is part of what dispatched it.
            if (!$event->job instanceof SyncJob) {
                $pin()->begin(self::name($event->job));
            }
        });
        $events->listen(
            [JobProcessed::class, JobExceptionOccurred::class, JobFailed::class],
            static fn (object $event) => $pin()->end(self::name($event->job)),
        );
    }

    private static function name(Job $job): string
    {
        return 'job ' . \spl_object_id($job);
    }
}
