<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Lifecycle;

/**
 * Marks start, end and status of requests for the counters, in a process that serves many.
 */
class Marks
{
    /** SAPIs whose process is one long request without a client. */
    private const WITHOUT_CLIENT = ['cli', 'phpdbg', 'embed', 'micro'];

    private ?int $token = null;

    public function begin(): void
    {
        $this->token = \flagstone_request_begin();
    }

    /** @param int $status of HTTP; 0: none, as for a job; -1: an uncaught exception */
    public function end(int $status): void
    {
        \flagstone_request_end($status, $this->token);
        $this->token = null;
    }

    /** Notes that the client of a request without a mark, as in PHP-FPM, has its response or its first byte. */
    public function respond(int $status): void
    {
        if (!\in_array(\PHP_SAPI, self::WITHOUT_CLIENT, true)) {
            \flagstone_request_end($status);
        }
    }
}
