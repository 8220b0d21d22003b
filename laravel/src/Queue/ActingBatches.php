<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Illuminate\Bus\BatchRepository;
use Illuminate\Bus\DatabaseBatchRepository;
use Illuminate\Bus\PrunableBatchRepository;

/**
 * A repository of batches whose callbacks act for the subject that dispatched the batch. They run in the job that happens to be
 * the last, which may be another company's.
 *
 * @internal
 */
final class ActingBatches implements BatchRepository, PrunableBatchRepository
{
    use ForwardsBatches;

    /** The options of a batch that hold callbacks: `failure` are those of allowFailures(), in Laravel 13. */
    public const CALLBACKS = ['before', 'progress', 'then', 'catch', 'failure', 'finally'];

    private function __construct(BatchRepository $batches)
    {
        $this->batches = $batches;
    }

    public static function of(BatchRepository $batches): BatchRepository
    {
        return $batches instanceof DatabaseBatchRepository ? new ActingDatabaseBatches($batches) : new self($batches);
    }
}
