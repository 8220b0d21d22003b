<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Closure;
use Flagstone\Laravel\Changes\Trail;
use RuntimeException;
use Throwable;

/**
 * Tells an endpoint what it was not told yet, in order, each at least once: its place is written after each that it took.
 */
final class Sender
{
    /**
     * @param string $folder where places are kept
     * @param Closure(): int $clock Unix seconds
     * @param Closure(Throwable): mixed $report to the application's log
     */
    public function __construct(
        private readonly string $folder,
        private readonly Closure $clock,
        private readonly Closure $report,
    ) {
    }

    public function place(Endpoint $endpoint): Place
    {
        return new Place($this->path($endpoint));
    }

    /**
     * The first time it tells nothing: it begins with what happens from then on. Where one change fails, those after it wait.
     *
     * @param bool $now also what is to be tried again later
     * @return ?int how many it took; null where another process is telling it
     * @throws RuntimeException where the place cannot be written
     */
    public function send(Endpoint $endpoint, Trail $trail, bool $now = false): ?int
    {
        $place = Place::hold($this->path($endpoint));
        if ($place === null) {
            return null;
        }
        if ($place->seq === null) {
            [$last, $at] = $trail->last();
            $place->moved($last, $at);

            return 0;
        }
        if (!$now && $place->retryAt > ($this->clock)()) {
            return 0;
        }
        $told = 0;
        foreach ($trail->after($place->seq, $place->at) as $seq => $change) {
            if ($endpoint->wants($change)) {
                try {
                    $endpoint->tell($change);
                    $told++;
                } catch (Throwable $problem) {
                    ($this->report)($problem);
                    if (!$place->failed($seq, $change, $problem->getMessage(), ($this->clock)())) {
                        return $told;
                    }
                    continue;
                }
            }
            $place->moved($seq, $change->at);
        }

        return $told;
    }

    private function path(Endpoint $endpoint): string
    {
        return $this->folder . '/flagstone-notified' . ($endpoint->name === 'events' ? '' : "-{$endpoint->name}") . '.json';
    }
}
