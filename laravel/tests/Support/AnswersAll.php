<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\InteractsWithQueue;

/** A job that asks for flags and keeps the answers, under the name it was given. */
final class AnswersAll implements ShouldQueue
{
    use InteractsWithQueue;
    use Queueable;

    /** @var array<string, array<string, bool>> */
    public static array $answers = [];

    /** @param list<string> $flags */
    public function __construct(private readonly string $name, private readonly array $flags)
    {
    }

    public function handle(): void
    {
        foreach ($this->flags as $flag) {
            self::$answers[$this->name][$flag] = Flagstone::enabled($flag);
        }
    }
}
