<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;

/** A job that writes into a file for which company it runs, and if the flag `billing` is on. */
final class WritesCompany implements ShouldQueue
{
    use Dispatchable;
    use Queueable;

    public function __construct(private readonly string $file)
    {
    }

    public function handle(): void
    {
        \file_put_contents("$this->file.new", \json_encode(self::answers()));
        \rename("$this->file.new", $this->file);
    }

    /** @return array{int|string|null, bool, bool} */
    public static function answers(): array
    {
        return [Flagstone::subject()->company, Flagstone::enabled('billing'), Flagstone::enabled('pro')];
    }

    /** A task that returns the answers: a test's class is not there in another process. */
    public static function task(): Closure
    {
        return static fn (): array => self::answers();
    }

    /** A task that writes them. */
    public static function writingTask(string $file): Closure
    {
        return static fn () => (new self($file))->handle();
    }
}
