<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Lifecycle;

/**
 * Tells the counters where a request begins and ends in a process that serves many, and what came of it.
 */
class Marks
{
    public function begin(): void
    {
        \flagstone_request_begin();
    }

    /** @param int $status of HTTP; 0: none, as of a job; -1: an exception that nobody caught */
    public function end(int $status): void
    {
        \flagstone_request_end($status);
    }
}
