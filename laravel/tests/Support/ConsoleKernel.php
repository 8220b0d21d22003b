<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Illuminate\Console\Scheduling\Schedule;
use Illuminate\Foundation\Console\Kernel;

final class ConsoleKernel extends Kernel
{
    /** @var ?Closure(Schedule): void the application's own schedule */
    public static ?Closure $schedule = null;

    protected function schedule(Schedule $schedule): void
    {
        if (self::$schedule !== null) {
            (self::$schedule)($schedule);
        }
    }
}
