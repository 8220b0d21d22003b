<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Closure;
use Flagstone\Laravel\Subject\JobSubject;
use Illuminate\Concurrency\ProcessDriver;
use Illuminate\Support\Defer\DeferredCallback;

/**
 * Runs tasks in processes of their own, each for the subject that was current when it was handed over. Nobody is signed in there. The
 * queue connection "background" dispatches its jobs in such a task.
 *
 * @internal
 */
final class ActingProcesses extends ProcessDriver
{
    public function run(Closure|array $tasks, mixed ...$more): array
    {
        return parent::run(self::acting($tasks), ...$more);
    }

    public function defer(Closure|array $tasks): DeferredCallback
    {
        return parent::defer(self::acting($tasks));
    }

    /** @return array<array-key, mixed> */
    private static function acting(Closure|array $tasks): array
    {
        $carried = JobSubject::carried();

        return \array_map(
            static fn (mixed $task): mixed => $task instanceof Closure ? self::actingFor($carried, $task) : $task,
            \is_array($tasks) ? $tasks : [$tasks],
        );
    }

    /**
     * A task that can be serialized: it holds nothing but these.
     *
     * @param array<string, mixed> $carried
     */
    private static function actingFor(array $carried, Closure $task): Closure
    {
        return static function () use ($carried, $task): mixed {
            return (new BatchCallback($carried, $task))();
        };
    }
}
