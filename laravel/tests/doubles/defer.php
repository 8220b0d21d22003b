<?php

/** Stands for Laravel 11's deferred functions: just so much of each class as is read. */

declare(strict_types=1);

namespace Illuminate\Support\Defer;

final class DeferredCallback
{
    public function __construct(public mixed $callback)
    {
    }

    public function __invoke(): void
    {
        ($this->callback)();
    }
}

final class DeferredCallbackCollection implements \ArrayAccess
{
    protected array $callbacks = [];

    public function invoke(): void
    {
        foreach ($this->callbacks as $callback) {
            $callback();
        }
    }

    public function offsetExists(mixed $offset): bool
    {
        return isset($this->callbacks[$offset]);
    }

    public function offsetGet(mixed $offset): mixed
    {
        return $this->callbacks[$offset];
    }

    public function offsetSet(mixed $offset, mixed $value): void
    {
        $this->callbacks[] = $value;
    }

    public function offsetUnset(mixed $offset): void
    {
        unset($this->callbacks[$offset]);
    }
}
