<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use RuntimeException;

/** A job that notes for whom it runs, and may have another inside. */
final class NotesCompany implements ShouldQueue
{
    use Dispatchable;
    use InteractsWithQueue;
    use Queueable;

    /** @var list<array{int|string|null, array<string, mixed>}> */
    public static array $noted = [];

    public function __construct(private readonly ?self $inside = null, private readonly bool $throws = false)
    {
    }

    public function handle(): void
    {
        $subject = Flagstone::subject();
        self::$noted[] = [$subject->company, $subject->context()];
        if ($this->inside !== null) {
            Flagstone::actingFor('inside', fn () => \dispatch($this->inside->onConnection('sync')));
            self::$noted[] = [Flagstone::subject()->company, []];
        }
        if ($this->throws) {
            throw new RuntimeException('this job throws');
        }
    }
}
