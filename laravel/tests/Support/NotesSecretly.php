<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldBeEncrypted;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\InteractsWithQueue;

/** A job that is encrypted, and notes for whom it runs. */
final class NotesSecretly implements ShouldBeEncrypted, ShouldQueue
{
    use InteractsWithQueue;
    use Queueable;

    /** @var list<int|string|null> */
    public static array $noted = [];

    public function handle(): void
    {
        self::$noted[] = Flagstone::subject()->company;
    }
}
