<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

/** Stands for the debug bar that laravel-debugbar 4 binds, by Fruitcake and formerly by Barry vd. Heuvel. */
final class Debugbar
{
    /** @var array<string, object> */
    public array $collectors = [];

    public function isEnabled(): bool
    {
        return true;
    }

    public function hasCollector(string $name): bool
    {
        return isset($this->collectors[$name]);
    }

    public function addCollector(object $collector): void
    {
        $this->collectors[$collector->name] = $collector;
    }
}
