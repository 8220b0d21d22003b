<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use RuntimeException;

/** A job that notes whether a flag is on. */
final class NotesFlag implements ShouldQueue
{
    use Dispatchable;
    use InteractsWithQueue;
    use Queueable;

    /** @var list<bool> */
    public static array $noted = [];

    /** @var list<object> */
    public array $guards = [];

    public function __construct(
        private readonly string $flag,
        private readonly bool $nested = false,
        private readonly bool $throws = false,
    ) {
    }

    public function guardedBy(object ...$guards): self
    {
        $this->guards = \array_values($guards);

        return $this;
    }

    /** @return list<object> */
    public function middleware(): array
    {
        return $this->guards;
    }

    public function handle(): void
    {
        if ($this->throws) {
            throw new RuntimeException('this job throws');
        }
        self::$noted[] = Flagstone::enabled($this->flag);
        if ($this->nested) {
            \dispatch((new self($this->flag))->onConnection('sync'));
        }
    }
}
