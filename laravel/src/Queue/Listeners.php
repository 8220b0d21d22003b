<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Closure;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Lifecycle\Pin;
use Flagstone\Laravel\SafeCall;
use Flagstone\Laravel\Subject\JobSubject;
use Flagstone\Laravel\Value;
use Illuminate\Container\Container;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Events\Dispatcher as EventDispatcher;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\Looping;
use Illuminate\Queue\Jobs\SyncJob;
use Illuminate\Queue\Queue;
use WeakMap;

/**
 * Sends the subject along with queued jobs, and moves workers to the newest definitions between two jobs. No job is queued or run
 * before the container has made its queues.
 *
 * @internal
 */
final class Listeners
{
    /** @var ?WeakMap<Dispatcher, true> dispatchers with these listeners: Octane makes queues again for each request */
    private static ?WeakMap $told = null;

    public function register(object $queues, Application $app): void
    {
        $events = $app->make('events');
        self::$told ??= new WeakMap();
        if (isset(self::$told[$events])) {
            return;
        }
        self::$told[$events] = true;

        // None of these may stop a job: an error is reported, and the job goes on.
        $events->listen(JobProcessing::class, static function (JobProcessing $event): void {
            // A sync job is part of the code that dispatched it.
            if (!$event->job instanceof SyncJob) {
                SafeCall::or(null, static fn () => self::container()->make(Pin::class)->begin(self::name($event->job)));
            }
            SafeCall::or(null, static fn () => self::container()->make(JobSubject::class)->begin($event->job));
        });
        // After all listeners of that name, whenever they were added: they restore the dispatcher's tenant and user.
        $events->listen(JobProcessing::class . '*', static function (string $name, array $payload): void {
            $event = $payload[0] ?? null;
            if ($event instanceof JobProcessing) {
                SafeCall::or(null, static fn () => self::container()->make(JobSubject::class)->start($event->job));
            }
        });
        // A job may fail itself and go on; the event of its end comes later.
        $events->listen(JobFailed::class, static function (JobFailed $event): void {
            SafeCall::or(null, static fn () => self::container()->make(Pin::class)->fails(self::name($event->job)));
        });
        $events->listen(JobProcessed::class, static function (JobProcessed $event): void {
            self::ended($event->job, 0);
        });
        $events->listen(JobExceptionOccurred::class, static function (JobExceptionOccurred $event): void {
            self::ended($event->job, -1);
        });
        self::endFirst($events);
        $events->listen(Looping::class, static function (): void {
            SafeCall::or(null, static fn () => self::container()->make(Pin::class)->endAll());
            SafeCall::or(null, static fn () => self::container()->make(JobSubject::class)->endAll());
        });
        Queue::createPayloadUsing(
            static fn (?string $connection, ?string $queue, array $payload): array => SafeCall::or(JobSubject::lost(), static fn (): array => self::carried($payload)),
        );
    }

    /**
     * Ends a failed sync job before any other listener runs: one that throws would leave the rest of the request, and under Octane
     * later requests, with the job's company.
     */
    private static function endFirst(Dispatcher $events): void
    {
        $events->listen(JobExceptionOccurred::class, static function (JobExceptionOccurred $event): void {
            if ($event->job instanceof SyncJob) {
                SafeCall::or(null, static fn () => self::container()->make(JobSubject::class)->end($event->job));
            }
        });
        if ($events instanceof EventDispatcher) {
            Closure::bind(static function (EventDispatcher $events): void {
                $listeners = $events->listeners[JobExceptionOccurred::class];
                $events->listeners[JobExceptionOccurred::class] = [\array_pop($listeners), ...$listeners];
            }, null, EventDispatcher::class)($events);
        }
    }

    /**
     * @param array<array-key, mixed> $payload
     * @return array<string, mixed>
     */
    private static function carried(array $payload): array
    {
        $app = self::container();
        if (!$app->bound(Flagstone::class)) {
            return [];
        }

        $driver = SafeCall::or(null, static fn (): Driver => $app->make(Flagstone::class)->driver());

        return $app->make(JobSubject::class)->payload($driver, Value::at($payload, 'data', 'command'));
    }

    /** @param int $status the argument of Pin::end() */
    private static function ended(Job $job, int $status): void
    {
        SafeCall::or(null, static fn () => self::container()->make(Pin::class)->end(self::name($job), $status));
        SafeCall::or(null, static fn () => self::container()->make(JobSubject::class)->end($job));
    }

    private static function name(Job $job): string
    {
        return 'job ' . \spl_object_id($job);
    }

    /** The current container: under Octane each request has its own. */
    private static function container(): Container
    {
        return Container::getInstance();
    }
}
