<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

/** A callback of a batch that notes for whom it runs. */
final class NotesBatch
{
    public function __invoke(): void
    {
        (new NotesCompany())->handle();
    }
}
