<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Batchable;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use RuntimeException;

/** A job that notes for whom it runs, at its start and where another tenant is current. */
final class ChangesTenant implements ShouldQueue
{
    use Batchable;
    use Dispatchable;
    use InteractsWithQueue;
    use Queueable;

    /** @var list<int|string|null> */
    public static array $noted = [];

    public function __construct(private readonly bool $throws = false)
    {
    }

    public function handle(): void
    {
        self::note();
        SpatieTenant::execute(20, self::note(...));
        self::note();
        if ($this->throws) {
            throw new RuntimeException('this job throws');
        }
    }

    public function failed(): void
    {
        self::note();
    }

    private static function note(): void
    {
        self::$noted[] = Flagstone::subject()->company;
    }
}
