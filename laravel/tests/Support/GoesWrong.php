<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\InteractsWithQueue;
use RuntimeException;

/** A job that asks for a flag and throws, or calls itself failed and goes on. */
final class GoesWrong implements ShouldQueue
{
    use InteractsWithQueue;
    use Queueable;

    public function __construct(private readonly string $flag, private readonly bool $throws)
    {
    }

    public function handle(): void
    {
        $this->throws || $this->fail();
        Flagstone::enabled($this->flag);
        !$this->throws || throw new RuntimeException('this job throws');
    }
}
