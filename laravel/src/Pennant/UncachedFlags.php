<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Closure;
use Flagstone\Laravel\Value;
use Illuminate\Support\Collection;

/**
 * Pennant's cache without Flagstone's answers: asking Flagstone is faster than a search in here. What was cached for a feature
 * before it became a flag is not found.
 *
 * @extends Collection<array-key, mixed>
 * @internal
 */
final class UncachedFlags extends Collection
{
    /**
     * @param array<array-key, mixed> $items
     * @param ?Closure(string): bool $has true if a feature is Flagstone's
     */
    public function __construct($items = [], private readonly ?Closure $has = null)
    {
        parent::__construct($items);
    }

    public function offsetSet($key, $value): void
    {
        if (!$this->isFlagstones($value)) {
            parent::offsetSet($key, $value);
        }
    }

    /** Pennant looks an item up in what is left, and may put that in the cache's place. */
    public function filter(?callable $callback = null)
    {
        return new self(parent::filter($callback)->items, $this->has);
    }

    public function first(?callable $callback = null, $default = null)
    {
        $item = parent::first($callback, $default);

        return $this->isFlagstones($item) ? \value($default) : $item;
    }

    public function search($value, $strict = false)
    {
        $key = parent::search($value, $strict);

        return $key !== false && $this->isFlagstones($this->items[$key]) ? false : $key;
    }

    private function isFlagstones(mixed $item): bool
    {
        $feature = Value::text($item, 'feature');

        return $feature !== null && $this->has !== null && ($this->has)($feature);
    }
}
