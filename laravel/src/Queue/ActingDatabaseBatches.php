<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Closure;
use Illuminate\Bus\DatabaseBatchRepository;

/**
 * ActingBatches for a database. `queue:prune-batches` deletes unfinished and cancelled batches of a DatabaseBatchRepository only.
 *
 * @internal
 */
final class ActingDatabaseBatches extends DatabaseBatchRepository
{
    use ForwardsBatches;

    public function __construct(DatabaseBatchRepository $batches)
    {
        $this->batches = $batches;
        // For methods of the parent that a newer version of Laravel adds.
        [$this->factory, $this->connection, $this->table] = Closure::bind(
            static fn (DatabaseBatchRepository $of): array => [$of->factory, $of->connection, $of->table],
            null,
            DatabaseBatchRepository::class,
        )($batches);
    }

    public function getConnection()
    {
        return $this->__call(__FUNCTION__, []);
    }

    /** @param mixed $connection */
    public function setConnection($connection)
    {
        $this->__call(__FUNCTION__, [$connection]);
    }
}
