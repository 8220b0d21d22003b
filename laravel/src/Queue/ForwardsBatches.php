<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Closure;
use DateTimeInterface;
use Flagstone\Laravel\Subject\JobSubject;
use Illuminate\Bus\BatchRepository;
use Illuminate\Bus\PendingBatch;
use Illuminate\Bus\PrunableBatchRepository;

/**
 * Forwards everything to another repository of batches. The callbacks of a batch that is stored act for its dispatcher's subject.
 *
 * @internal
 */
trait ForwardsBatches
{
    private readonly BatchRepository $batches;

    public function store(PendingBatch $batch)
    {
        $carried = null;
        foreach (ActingBatches::CALLBACKS as $name) {
            foreach (\is_array($batch->options[$name] ?? null) ? $batch->options[$name] : [] as $index => $callback) {
                if (!$callback instanceof BatchCallback) {
                    $batch->options[$name][$index] = new BatchCallback($carried ??= JobSubject::carried(), $callback);
                }
            }
        }

        return $this->batches->store($batch);
    }

    public function get($limit = 50, $before = null)
    {
        return $this->batches->get($limit, $before);
    }

    public function find(string $batchId)
    {
        return $this->batches->find($batchId);
    }

    public function incrementTotalJobs(string $batchId, int $amount)
    {
        return $this->batches->incrementTotalJobs($batchId, $amount);
    }

    public function decrementPendingJobs(string $batchId, string $jobId)
    {
        return $this->batches->decrementPendingJobs($batchId, $jobId);
    }

    public function incrementFailedJobs(string $batchId, string $jobId)
    {
        return $this->batches->incrementFailedJobs($batchId, $jobId);
    }

    public function markAsFinished(string $batchId)
    {
        return $this->batches->markAsFinished($batchId);
    }

    public function cancel(string $batchId)
    {
        return $this->batches->cancel($batchId);
    }

    public function delete(string $batchId)
    {
        return $this->batches->delete($batchId);
    }

    public function transaction(Closure $callback)
    {
        return $this->batches->transaction($callback);
    }

    public function rollBack()
    {
        return $this->__call(__FUNCTION__, []);
    }

    public function prune(DateTimeInterface $before)
    {
        return $this->batches instanceof PrunableBatchRepository ? $this->batches->prune($before) : 0;
    }

    public function pruneUnfinished(DateTimeInterface $before)
    {
        return $this->__call(__FUNCTION__, [$before]) ?? 0;
    }

    public function pruneCancelled(DateTimeInterface $before)
    {
        return $this->__call(__FUNCTION__, [$before]) ?? 0;
    }

    /**
     * Forwards methods that newer versions of Laravel, and repositories of an application, add.
     *
     * @param array<array-key, mixed> $arguments
     */
    public function __call(string $method, array $arguments): mixed
    {
        return \is_callable([$this->batches, $method]) ? $this->batches->{$method}(...$arguments) : null;
    }
}
