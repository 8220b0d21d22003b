<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Lifecycle;

use Flagstone\Laravel\Flagstone;
use Illuminate\Contracts\Container\Container;

/**
 * When a worker moves to the newest generation: as the outermost thing begins that it does, a request, task, tick or job. What
 * begins inside moves nothing, so that all answers of one request agree. The counters take that outermost thing for a request.
 *
 * A server that ends its process, or PHP's part of it, after each request moves and counts by itself; there nothing is outermost.
 */
final class Pin
{
    private const EXCEPTION = -1;

    /** @var array<string, bool> what has begun and not ended, and whether it has failed meanwhile */
    private array $open = [];

    /** Whether the counters were told of the outermost. */
    private bool $isMarked = false;

    /** @param bool $isRequest whether all this process does is one request */
    public function __construct(
        private readonly Container $container,
        private bool $isRequest,
        private readonly Marks $marks = new Marks(),
    ) {
    }

    public function begin(string $what): void
    {
        if ($this->open === [] && !$this->isRequest) {
            $this->container->make(Flagstone::class)->driver()->refresh();
            $this->marks->begin();
            $this->isMarked = true;
        }
        $this->open[$what] = false;
    }

    /** Will have ended badly, whatever its end says. */
    public function fails(string $what): void
    {
        if (isset($this->open[$what])) {
            $this->open[$what] = true;
        }
    }

    /**
     * Ended well or badly; asked twice it does nothing.
     *
     * @param int $status as Marks::end() takes it
     */
    public function end(string $what, int $status = 0): void
    {
        $status = ($this->open[$what] ?? false) ? self::EXCEPTION : $status;
        unset($this->open[$what]);
        if ($this->open === []) {
            $this->mark($status);
        }
    }

    /** The request has its response, or the first byte of one that goes on for long: what runs later is not its duration. */
    public function respond(int $status): void
    {
        if ($this->isMarked) {
            $this->mark($status);
        } elseif ($this->isRequest) {
            $this->marks->respond($status);
        }
    }

    /** A worker between two of its tasks: nothing is open, whatever has become of the last. */
    public function endAll(): void
    {
        $this->open = [];
        $this->mark(self::EXCEPTION);
        $this->isWorker();
    }

    /** More than one request, after all. Octane's workers say of themselves that they are no console. */
    public function isWorker(): void
    {
        $this->isRequest = false;
    }

    private function mark(int $status): void
    {
        if ($this->isMarked) {
            $this->isMarked = false;
            $this->marks->end($status);
        }
    }
}
