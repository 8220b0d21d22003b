<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Flagstone;
use Illuminate\Container\Container;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\Looping;
use Illuminate\Queue\Queue;

/**
 * Finds out anew who is asking when somebody signs in or out, or the tenant changes; and sends the subject along with
 * jobs.
 *
 * @internal
 */
final class Registrar
{
    /** By name, since most applications have few of these packages. */
    private const CHANGES = [
        'Illuminate\Auth\Events\Authenticated',
        'Illuminate\Auth\Events\Login',
        'Illuminate\Auth\Events\Logout',
        'Illuminate\Auth\Events\CurrentDeviceLogout',
        'Stancl\Tenancy\Events\TenancyInitialized',
        'Stancl\Tenancy\Events\TenancyEnded',
        'Spatie\Multitenancy\Events\MadeTenantCurrentEvent',
        'Spatie\Multitenancy\Events\ForgotCurrentTenantEvent',
        'Filament\Events\TenantSet',
    ];

    public function register(Application $app): void
    {
        $events = $app->make(Dispatcher::class);
        foreach (self::CHANGES as $event) {
            $events->listen($event, static fn () => self::get(Subjects::class)->forget());
        }

        $events->listen(JobProcessing::class, self::job(static fn (Travel $travel, $job) => $travel->begin($job)));
        foreach ([JobProcessed::class, JobExceptionOccurred::class, JobFailed::class] as $event) {
            $events->listen($event, self::job(static fn (Travel $travel, $job) => $travel->end($job)));
        }
        $events->listen(Looping::class, static fn () => self::get(Travel::class)->endAll());

        Queue::createPayloadUsing(
            static fn (?string $connection, ?string $queue, array $payload): array => Container::getInstance()->bound(Flagstone::class)
                ? self::get(Travel::class)->payload(self::get(Flagstone::class)->driver(), $payload['data']['command'] ?? null)
                : [],
        );
    }

    private static function job(Closure $do): Closure
    {
        return static function (object $event) use ($do): void {
            $do(self::get(Travel::class), $event->job);
        };
    }

    /**
     * From the container of the moment: under Octane each request has its own.
     *
     * @template T of object
     * @param class-string<T> $class
     * @return T
     */
    private static function get(string $class): object
    {
        return Container::getInstance()->make($class);
    }
}
