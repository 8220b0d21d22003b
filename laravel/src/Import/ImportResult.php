<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

/**
 * Content of a source.
 */
final class ImportResult
{
    /** @var array<string, Flag> by key */
    public array $flags = [];
    /** @var array<string, int> reasons of refusals, and the number of times of each */
    public array $refused = [];

    /** @var array<string, true> flags with a part that cannot be imported */
    public array $leftOut = [];

    public function flag(string $key, string $from): Flag
    {
        return $this->flags[$key] ??= new Flag($key, $from);
    }

    public function refuse(string $why, int $times = 1): void
    {
        $this->refused[$why] = ($this->refused[$why] ?? 0) + $times;
    }

    /** Leaves out a whole flag: without the refused part it could be on for more companies than before. */
    public function leaveOut(string $key): void
    {
        $this->leftOut[$key] = true;
    }

    public function settle(): self
    {
        $this->flags = \array_diff_key($this->flags, $this->leftOut);

        return $this;
    }
}
