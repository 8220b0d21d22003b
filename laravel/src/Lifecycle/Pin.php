<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Lifecycle;

use Flagstone\Laravel\Flagstone;
use Illuminate\Contracts\Container\Container;

/**
 * Moves a worker to the newest generation at the start of its outermost unit of work: a request, task, tick or job. Units inside
 * move nothing, so that all answers of one request agree. The counters take the outermost unit for a request.
 *
 * A server that ends its process, or PHP's part of it, after each request moves and counts by itself; there nothing is outermost.
 */
final class Pin
{
    private const EXCEPTION = -1;

    /** @var array<string, bool> running units, with true for those that have failed */
    private array $open = [];

    /** True once the counters know of the outermost unit. */
    private bool $isMarked = false;

    /** @param bool $isRequest true if this process is one single request */
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

    /** Marks a unit as failed, whatever status its end reports. */
    public function fails(string $what): void
    {
        if (isset($this->open[$what])) {
            $this->open[$what] = true;
        }
    }

    /**
     * Ends a unit, whatever the result; a second call does nothing.
     *
     * @param int $status the argument of Marks::end()
     */
    public function end(string $what, int $status = 0): void
    {
        $status = ($this->open[$what] ?? false) ? self::EXCEPTION : $status;
        unset($this->open[$what]);
        if ($this->open === []) {
            $this->mark($status);
        }
    }

    /** Notes that the response, or the first byte of a long one, is sent: what runs later is not part of the request's duration. */
    public function respond(int $status): void
    {
        if ($this->isMarked) {
            $this->mark($status);
        } elseif ($this->isRequest) {
            $this->marks->respond($status);
        }
    }

    /** Resets a worker between two of its tasks: nothing is open, whatever the last one left. */
    public function endAll(): void
    {
        $this->open = [];
        $this->mark(self::EXCEPTION);
        $this->isWorker();
    }

    /** Marks the process as one of many requests. Octane's workers report that they do not run in the console. */
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
