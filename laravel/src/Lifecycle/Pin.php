<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Lifecycle;

use Flagstone\Laravel\Flagstone;
use Illuminate\Contracts\Container\Container;

/**
 * When a worker moves to the newest generation: as the outermost thing begins that it does, a request, task, tick or job. What
 * begins inside moves nothing, so that all answers of one request agree.
 *
 * A server that ends its process, or PHP's part of it, after each request moves by itself; there nothing is outermost.
 */
final class Pin
{
    /** @var array<string, true> what has begun and not ended */
    private array $open = [];

    /** @param bool $isRequest whether all this process does is one request */
    public function __construct(private readonly Container $container, private bool $isRequest)
    {
    }

    public function begin(string $what): void
    {
        if ($this->open === [] && !$this->isRequest) {
            $this->container->make(Flagstone::class)->driver()->refresh();
        }
        $this->open[$what] = true;
    }

    /** Ended well or badly; asked twice it does nothing. */
    public function end(string $what): void
    {
        unset($this->open[$what]);
    }

    /** A worker between two of its tasks: nothing is open, whatever has become of the last. */
    public function endAll(): void
    {
        $this->open = [];
        $this->isWorker();
    }

    /** More than one request, after all. Octane's workers say of themselves that they are no console. */
    public function isWorker(): void
    {
        $this->isRequest = false;
    }
}
