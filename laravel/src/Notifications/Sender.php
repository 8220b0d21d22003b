<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Closure;
use Flagstone\Laravel\Changes\Trail;
use RuntimeException;
use Throwable;

/**
 * Delivers changes to an endpoint in order, each at least once: its place is written after each delivery.
 */
final class Sender
{
    /**
     * @param string $folder folder of the places
     * @param Closure(): int $clock Unix seconds
     * @param Closure(Throwable): mixed $report writes to the application's log
     */
    public function __construct(
        private readonly string $folder,
        private readonly Closure $clock,
        private readonly Closure $report,
    ) {
    }

    public function place(Endpoint $endpoint, Trail $trail): DeliveryCursor
    {
        return new DeliveryCursor($this->path($endpoint, $trail));
    }

    /**
     * Delivers the changes since the last call; the first call delivers nothing and only sets the place. After a failure the later
     * changes wait.
     *
     * @param bool $now true to include a change that waits for its next attempt
     * @return ?int number of deliveries; null if another process delivers to it
     * @throws RuntimeException if the place cannot be written
     */
    public function send(Endpoint $endpoint, Trail $trail, bool $now = false): ?int
    {
        $place = DeliveryCursor::lock($this->path($endpoint, $trail));
        if ($place === null) {
            return null;
        }
        if ($place->seq === null) {
            $earlier = new DeliveryCursor($this->path($endpoint, null));
            if ($earlier->seq === null || !$trail->has($earlier->seq, $earlier->at)) {
                [$last, $at] = $trail->last();
                $place->advance($last, $at, $trail->position());

                return 0;
            }
            $place->advance($earlier->seq, $earlier->at, $trail->position());
        }
        if (!$now && $place->retryAt > ($this->clock)()) {
            return 0;
        }
        $told = 0;
        foreach ($trail->after((int) $place->seq, $place->at, $place->position) as $seq => $change) {
            if ($endpoint->wants($change)) {
                try {
                    $endpoint->tell($change);
                    $told++;
                } catch (Throwable $problem) {
                    ($this->report)($problem);
                    if (!$place->failed($seq, $change, $trail->position(), $problem->getMessage(), ($this->clock)())) {
                        return $told;
                    }
                    continue;
                }
            }
            $place->advance($seq, $change->at, $trail->position());
        }

        return $told;
    }

    /**
     * Path of the place. Several servers may keep their places in one folder, each for its own store. Null: the path of an earlier
     * version, without the store.
     */
    private function path(Endpoint $endpoint, ?Trail $trail): string
    {
        $name = 'flagstone-notified' . ($endpoint->name === 'events' ? '' : "-{$endpoint->name}");

        return "{$this->folder}/$name" . ($trail === null ? '' : "-{$trail->id()}") . '.json';
    }
}
