<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Bus\Batchable;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\InteractsWithQueue;

/** A job of a batch that adds another, for a company, which notes for whom it runs. */
final class AddsJobFor implements ShouldQueue
{
    use Batchable;
    use InteractsWithQueue;
    use Queueable;

    public function __construct(private readonly ?int $company, private readonly bool $added = false)
    {
    }

    public function handle(): void
    {
        if ($this->added) {
            (new NotesCompany())->handle();
        } else {
            Flagstone::actingFor($this->company, fn () => $this->batch()->add([(new self($this->company, true))->onConnection('database')]));
        }
    }
}
