<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Closure;
use UnitEnum;

/**
 * Questions that are built on enabled(), for its subject.
 */
trait Branches
{
    /** @param array<string, mixed> $context */
    abstract public function enabled(string|UnitEnum $flag, array $context = []): bool;

    /** @param array<string, mixed> $context */
    public function disabled(string|UnitEnum $flag, array $context = []): bool
    {
        return !$this->enabled($flag, $context);
    }

    /**
     * Runs one of two closures, and returns its result; null if there is none to run.
     *
     * @template T
     * @param Closure(): T $on
     * @param ?Closure(): T $off
     * @param array<string, mixed> $context
     * @return ?T
     */
    public function when(string|UnitEnum $flag, Closure $on, ?Closure $off = null, array $context = []): mixed
    {
        return $this->enabled($flag, $context) ? $on() : ($off === null ? null : $off());
    }

    /**
     * Same as when(), with the closure for off first.
     *
     * @template T
     * @param Closure(): T $off
     * @param ?Closure(): T $on
     * @param array<string, mixed> $context
     * @return ?T
     */
    public function unless(string|UnitEnum $flag, Closure $off, ?Closure $on = null, array $context = []): mixed
    {
        return $this->when($flag, $on ?? static fn (): mixed => null, $off, $context);
    }

    /**
     * Returns true if each of the flags is on. Ends at the first that is not.
     *
     * @param iterable<string|UnitEnum> $flags
     * @param array<string, mixed> $context
     */
    public function allAreActive(iterable $flags, array $context = []): bool
    {
        foreach ($flags as $flag) {
            if (!$this->enabled($flag, $context)) {
                return false;
            }
        }

        return true;
    }

    /**
     * Returns true if one of the flags is on. Ends at the first that is.
     *
     * @param iterable<string|UnitEnum> $flags
     * @param array<string, mixed> $context
     */
    public function someAreActive(iterable $flags, array $context = []): bool
    {
        foreach ($flags as $flag) {
            if ($this->enabled($flag, $context)) {
                return true;
            }
        }

        return false;
    }
}
