<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

/**
 * What a source held.
 */
final class Found
{
    /** @var array<string, Flag> by key */
    public array $flags = [];
    /** @var array<string, int> what cannot be taken over, and how often */
    public array $refused = [];

    public function flag(string $key, string $from): Flag
    {
        return $this->flags[$key] ??= new Flag($key, $from);
    }

    public function refuse(string $why, int $times = 1): void
    {
        $this->refused[$why] = ($this->refused[$why] ?? 0) + $times;
    }
}
