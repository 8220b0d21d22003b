<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Closure;
use Flagstone\Laravel\Value;
use Illuminate\Support\Collection;

/**
 * Pennant's cache without Flagstone's answers: asking Flagstone is faster than a search in here.
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
        $feature = Value::text($value, 'feature');
        if ($feature === null || $this->has === null || !($this->has)($feature)) {
            parent::offsetSet($key, $value);
        }
    }
}
