<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Lifecycle;

/**
 * Tells the counters where a request begins and ends in a process that serves many, and what came of it.
 */
class Marks
{
    /** SAPIs whose process is one long request, which has no client. */
    private const WITHOUT_CLIENT = ['cli', 'phpdbg', 'embed', 'micro'];

    private ?int $token = null;

    public function begin(): void
    {
        $this->token = \flagstone_request_begin();
    }

    /** @param int $status of HTTP; 0: none, as of a job; -1: an exception that nobody caught */
    public function end(int $status): void
    {
        \flagstone_request_end($status, $this->token);
        $this->token = null;
    }

    /** The client of a request that nobody marked, as of PHP-FPM, has its response or its first byte. */
    public function respond(int $status): void
    {
        if (!\in_array(\PHP_SAPI, self::WITHOUT_CLIENT, true)) {
            \flagstone_request_end($status);
        }
    }
}
