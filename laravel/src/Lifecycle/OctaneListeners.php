<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Lifecycle;

use Flagstone\Laravel\Http\CheckFeatureFlag;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Foundation\Http\Events\RequestHandled;
use Symfony\Component\HttpFoundation\BinaryFileResponse;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpFoundation\StreamedResponse;

/**
 * Listens to Octane's events, by their names, and to long responses.
 *
 * @internal
 */
final class OctaneListeners
{
    /** Octane's events: each that starts work, with those that end it. */
    private const OCTANE = [
        'Laravel\Octane\Events\RequestReceived' => 'Laravel\Octane\Events\RequestTerminated',
        'Laravel\Octane\Events\TaskReceived' => 'Laravel\Octane\Events\TaskTerminated',
        'Laravel\Octane\Events\TickReceived' => 'Laravel\Octane\Events\TickTerminated',
    ];
    private const OCTANE_ERROR = 'Laravel\Octane\Events\WorkerErrorOccurred';

    public function register(Application $app): void
    {
        // Made now: Octane answers each request from a copy of the current application, and all copies share it.
        $app->make(Pin::class);
        $pin = static fn (): Pin => $app->make(Pin::class);
        $events = $app->make('events');
        foreach (self::OCTANE as $begin => $end) {
            $events->listen($begin, static function () use ($app, $pin, $begin): void {
                // A worker answers one request after the other: an earlier one that did not end well is over.
                if ($begin === \array_key_first(self::OCTANE)) {
                    $pin()->endAll();
                    if ($app->resolved(Subjects::class)) {
                        $app->make(Subjects::class)->endAll();
                    }
                    // Later copies share this, too, with its dependencies.
                    $app->make(CheckFeatureFlag::class);
                }
                $pin()->isWorker();
                $pin()->begin($begin);
            });
            $events->listen($end, static fn (?object $event = null) => $pin()->end($begin, self::status($event)));
        }
        $events->listen(self::OCTANE_ERROR, static fn () => $pin()->endAll());
        $events->listen(RequestHandled::class, static function (RequestHandled $event) use ($pin): void {
            if ($event->response instanceof StreamedResponse || $event->response instanceof BinaryFileResponse) {
                $pin()->respond($event->response->getStatusCode());
            }
        });
    }

    /** Status of the response that ends a request; 0 if there is none, as for tasks and ticks. */
    private static function status(?object $event): int
    {
        $response = $event === null ? null : \get_object_vars($event)['response'] ?? null;

        return $response instanceof Response ? $response->getStatusCode() : 0;
    }
}
