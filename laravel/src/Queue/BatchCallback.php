<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Flagstone\Laravel\Subject\JobSubject;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container;

/**
 * A callback that acts for the subject that dispatched its batch, or started its process. It is stored with the batch under this
 * name.
 *
 * @internal
 */
final class BatchCallback
{
    /**
     * @param array<string, mixed> $carried same as in a job's payload
     * @param mixed $callback the application's callback, as Laravel stores it
     */
    public function __construct(private readonly array $carried, private readonly mixed $callback)
    {
    }

    public function __invoke(mixed ...$arguments): mixed
    {
        return Container::getInstance()->make(Subjects::class)->acting(
            JobSubject::carriedIn($this->carried),
            fn (): mixed => ($this->callback)(...$arguments),
        );
    }
}
