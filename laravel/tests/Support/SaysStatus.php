<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Contracts\Driver;

/** Says of itself what it is told to. */
final class SaysStatus extends PassesOn
{
    /** @param array<string, mixed> $status what differs from the driver's behind it */
    public function __construct(Driver $driver, private readonly array $status)
    {
        parent::__construct($driver);
    }

    public function status(): array
    {
        return $this->status + parent::status();
    }
}
