<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Schema;

/** The queue connection "database", in the test's own database. */
final class JobsTable
{
    /** Before the application boots. */
    public static function configure(Application $app): void
    {
        $app->make('config')->set('queue.connections.database', [
            'driver' => 'database', 'table' => 'jobs', 'queue' => 'default', 'retry_after' => 90,
        ]);
        $app->make('config')->set('queue.failed', ['driver' => 'null']);
    }

    public static function create(): void
    {
        Schema::create('jobs', function ($table): void {
            $table->bigIncrements('id');
            $table->string('queue');
            $table->longText('payload');
            $table->unsignedTinyInteger('attempts');
            $table->unsignedInteger('reserved_at')->nullable();
            $table->unsignedInteger('available_at');
            $table->unsignedInteger('created_at');
        });
    }

    public static function createBatches(): void
    {
        \config(['queue.batching' => ['database' => 'sqlite', 'table' => 'job_batches']]);
        Schema::create('job_batches', static function ($table): void {
            $table->string('id')->primary();
            $table->string('name');
            foreach (['total_jobs', 'pending_jobs', 'failed_jobs', 'created_at', 'cancelled_at', 'finished_at'] as $count) {
                $table->integer($count)->nullable();
            }
            $table->text('failed_job_ids');
            $table->text('options')->nullable();
        });
    }
}
