<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Lifecycle\Pin;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\Moves;
use Flagstone\Laravel\Tests\Support\NotesFlag;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Queue;
use Laravel\Octane\OctaneServiceProvider;
use RuntimeException;

final class LifecycleTest extends TestCase
{
    /** Events of Octane 2, dispatched by name. */
    private const OCTANE = 'Laravel\Octane\Events\\';

    private Moves $moves;

    protected function configure(Application $app): void
    {
        JobsTable::configure($app);
        require_once __DIR__ . '/doubles/OctaneServiceProvider.php';
        $app->register(OctaneServiceProvider::class);
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish(['portal' => true]);
        NotesFlag::$noted = [];
        $this->moves = new Moves(Flagstone::driver());
        Flagstone::setDriver($this->moves);
    }

    public function test_octanes_requests_tasks_and_ticks_move_to_the_newest_generation(): void
    {
        foreach (['Request', 'Task', 'Tick'] as $number => $kind) {
            Event::dispatch(self::OCTANE . $kind . 'Received', [new \stdClass()]);
            $this->assertSame($number + 1, $this->moves->count, $kind);
            Event::dispatch(self::OCTANE . $kind . 'Terminated', [new \stdClass()]);
        }
    }

    public function test_octanes_workers_move_although_they_say_they_are_no_console(): void
    {
        foreach (['Request', 'Task', 'Tick'] as $number => $kind) {
            $this->app->instance(Pin::class, new Pin($this->app, true));
            Event::dispatch(self::OCTANE . $kind . 'Received', [new \stdClass()]);
            $this->assertSame($number + 1, $this->moves->count, $kind);
            $this->app->make(Pin::class)->endAll();
        }
    }

    public function test_a_sync_job_inside_a_request_moves_nothing(): void
    {
        Event::dispatch(self::OCTANE . 'RequestReceived', [new \stdClass()]);
        \dispatch(new NotesFlag('portal'));
        \dispatch(new NotesFlag('portal'))->onConnection('sync');
        $this->assertSame([[true, true], 1], [NotesFlag::$noted, $this->moves->count]);

        Event::dispatch(self::OCTANE . 'RequestTerminated', [new \stdClass()]);
        \dispatch(new NotesFlag('portal'));
        $this->assertSame(1, $this->moves->count, 'a sync job is part of what dispatched it');
    }

    public function test_a_job_of_a_queue_that_is_worked_inside_a_request_moves_nothing(): void
    {
        JobsTable::create();
        Queue::connection('database')->push(new NotesFlag('portal'));
        Event::dispatch(self::OCTANE . 'RequestReceived', [new \stdClass()]);
        $this->work();

        $this->assertSame([[true], 1], [NotesFlag::$noted, $this->moves->count]);
    }

    public function test_a_worker_moves_before_each_job_and_not_for_what_the_job_runs(): void
    {
        JobsTable::create();
        Queue::connection('database')->push(new NotesFlag('portal', nested: true));
        Queue::connection('database')->push(new NotesFlag('portal', nested: true));
        $this->work();
        $this->assertSame(1, $this->moves->count);

        Store::publish(['portal' => false]);
        $this->work();
        $this->assertSame([[true, true, false, false], 2], [NotesFlag::$noted, $this->moves->count]);
    }

    public function test_a_job_that_throws_has_ended(): void
    {
        JobsTable::create();
        Queue::connection('database')->push(new NotesFlag('portal', throws: true));
        $this->work();
        $this->work();
        Event::dispatch(self::OCTANE . 'TaskReceived', [new \stdClass()]);
        $this->assertSame(2, $this->moves->count);
    }

    public function test_a_process_that_is_one_request_moves_for_no_job(): void
    {
        $pin = new Pin($this->app, true);
        $pin->begin('job');
        $pin->end('job');
        $this->assertSame(0, $this->moves->count);

        $pin->endAll();
        $pin->begin('Octane says that it is a worker');
        $this->assertSame(1, $this->moves->count);
        $pin->endAll();
    }

    public function test_a_request_that_did_not_end_well_is_over_when_the_next_one_begins(): void
    {
        Event::dispatch(self::OCTANE . 'RequestReceived', [new \stdClass()]);
        Event::dispatch(self::OCTANE . 'RequestReceived', [new \stdClass()]);
        $this->assertSame(2, $this->moves->count);

        Event::dispatch(self::OCTANE . 'WorkerErrorOccurred', [new RuntimeException()]);
        Event::dispatch(self::OCTANE . 'TaskReceived', [new \stdClass()]);
        $this->assertSame(3, $this->moves->count);
    }

    private function work(): void
    {
        Artisan::call('queue:work', ['connection' => 'database', '--once' => true, '--sleep' => 0, '--tries' => 1]);
    }
}
