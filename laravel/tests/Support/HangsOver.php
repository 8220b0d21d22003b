<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\InteractsWithQueue;

/** Asks a flag and takes longer than it may, so that Laravel kills the worker. */
final class HangsOver implements ShouldQueue
{
    use InteractsWithQueue;
    use Queueable;

    public int $timeout = 1;

    public function __construct(private readonly string $flag)
    {
    }

    public function handle(): void
    {
        Flagstone::enabled($this->flag);
        \sleep(20);
    }
}
