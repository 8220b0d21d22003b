<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Exceptions\FeatureIsOff;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Queue\RequiresFeature;
use Flagstone\Laravel\Tests\Support\Feature;
use Flagstone\Laravel\Tests\Support\Firm;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\NotesFlag;
use Illuminate\Console\Scheduling\Schedule;
use Illuminate\Foundation\Application;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Queue;

final class RequiresFeatureTest extends TestCase
{
    protected function configure(Application $app): void
    {
        JobsTable::configure($app);
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'everyone' => true,
            'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'nobody' => false,
        ]);
        NotesFlag::$noted = [];
        JobsTable::create();
    }

    public function test_a_job_runs_while_all_its_flags_are_on(): void
    {
        $this->work(RequiresFeature::for('everyone', Feature::Pilot)->company(15));
        $this->assertSame([true], NotesFlag::$noted);
    }

    public function test_a_job_whose_flag_is_off_goes_back_to_the_queue_and_is_done_when_it_comes_on(): void
    {
        $this->work(RequiresFeature::for('nobody')->releaseAfter(0), tries: 0);
        $this->assertSame([[], 1], [NotesFlag::$noted, DB::table('jobs')->count()]);

        $this->publish(['everyone' => true, 'nobody' => true]);
        $this->next(tries: 0);
        $this->assertSame([[true], 0], [NotesFlag::$noted, DB::table('jobs')->count()]);
    }

    public function test_it_goes_back_for_a_minute_unless_another_time_is_named(): void
    {
        foreach ([[60, RequiresFeature::for('nobody')], [300, RequiresFeature::for('nobody')->releaseAfter(300)]] as [$seconds, $guard]) {
            DB::table('jobs')->delete();
            $this->work($guard);
            $this->assertEqualsWithDelta(\time() + $seconds, DB::table('jobs')->value('available_at'), 2);
        }
    }

    public function test_on_wish_it_fails_or_is_dropped(): void
    {
        $failed = [];
        Event::listen(JobFailed::class, function (JobFailed $event) use (&$failed): void {
            $failed[] = $event->exception->getMessage();
        });
        $this->work(RequiresFeature::for('pilot')->company(new Firm(['id' => 16]))->fail());
        $this->assertSame([['Not done: flag "pilot" is off for company 16'], 0], [$failed, DB::table('jobs')->count()]);

        $this->work(RequiresFeature::for('nobody')->skip());
        $this->assertSame([[], 0, 1], [NotesFlag::$noted, DB::table('jobs')->count(), \count($failed)]);
    }

    public function test_it_asks_for_whoever_acts_unless_a_company_is_named(): void
    {
        Flagstone::actingFor(15, fn () => \dispatch_sync((new NotesFlag('everyone'))->guardedBy(RequiresFeature::for('pilot')->skip())));
        $this->assertSame([true], NotesFlag::$noted);

        Flagstone::actingFor(15, fn () => \dispatch_sync((new NotesFlag('everyone'))->guardedBy(RequiresFeature::for('pilot')->company(null)->skip())));
        $this->assertSame([true], NotesFlag::$noted);
    }

    public function test_a_companys_attributes_are_asked_for_too_and_survive_the_queue(): void
    {
        $this->publish(['everyone' => true, 'plan' => ['rollout' => ['percentage' => 0], 'rules' => [['when' => ['attribute' => 'plan', 'eq' => 'pro']]]]]);
        $pro = new Firm(['id' => 16, 'plan' => 'pro']);
        \dispatch_sync((new NotesFlag('everyone'))->guardedBy(RequiresFeature::for('plan')->company($pro)->skip()));
        $this->assertSame([true], NotesFlag::$noted);

        // The job is serialized with its middleware.
        $this->work(RequiresFeature::for('plan')->company($pro)->skip());
        $this->work(RequiresFeature::for('plan')->company(16, ['plan' => 'pro'])->skip());
        $this->work(RequiresFeature::for('plan')->company(16)->skip());
        $this->assertSame([true, true, true], NotesFlag::$noted);
    }

    public function test_what_cannot_go_back_to_a_queue_is_an_exception_and_not_lost(): void
    {
        $this->expectException(FeatureIsOff::class);
        $this->expectExceptionMessage('Not done: flag "nobody" is off for no company');
        \dispatch((new NotesFlag('everyone'))->guardedBy(RequiresFeature::for('nobody')));
    }

    public function test_the_scheduler_runs_what_a_flag_allows(): void
    {
        $schedule = $this->app->make(Schedule::class);
        $passes = fn (string $macro, mixed ...$arguments): bool => $schedule->call(fn () => null)->{$macro}(...$arguments)->filtersPass($this->app);

        $this->assertSame(
            [true, false, true, false, true, false],
            [
                $passes('feature', 'everyone'), $passes('feature', 'nobody'), $passes('feature', Feature::Pilot, 15), $passes('feature', 'pilot'),
                $passes('featurePossible', 'pilot'), $passes('featurePossible', 'nobody'),
            ],
        );
    }

    private function work(RequiresFeature $guard, int $tries = 1): void
    {
        Queue::connection('database')->push((new NotesFlag('everyone'))->guardedBy($guard));
        $this->next($tries);
    }

    private function next(int $tries): void
    {
        Artisan::call('queue:work', ['connection' => 'database', '--once' => true, '--sleep' => 0, '--tries' => $tries]);
    }
}
