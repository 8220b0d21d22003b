<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Http\HideFeatures;
use Flagstone\Laravel\Lifecycle\Pin;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\GoesWrong;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\NotesFlag;
use Flagstone\Laravel\Value;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Http\Events\RequestHandled;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Support\Facades\Blade;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Queue;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\View;
use Laravel\Octane\OctaneServiceProvider;
use RuntimeException;
use stdClass;
use Symfony\Component\HttpFoundation\BinaryFileResponse;
use Symfony\Component\HttpFoundation\StreamedResponse;

/**
 * What the counters hold when Octane, queues, the middleware and views have told them: as `feature:stats` shows it. Without the
 * extension nothing is counted.
 */
final class TelemetryTest extends TestCase
{
    use Artisan;

    private const OCTANE = 'Laravel\Octane\Events\\';
    private const NONE = ['1xx' => 0, '2xx' => 0, '3xx' => 0, '4xx' => 0, '5xx' => 0, 'failed' => 0, 'none' => 0];

    protected function configure(Application $app): void
    {
        JobsTable::configure($app);
        require_once __DIR__ . '/doubles/OctaneServiceProvider.php';
        $app->register(OctaneServiceProvider::class);
        $this->ownStore($app, [
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'menu' => true,
        ]);
    }

    public function test_a_request_of_octane_counts_with_its_status(): void
    {
        $this->octane(200, static fn () => Flagstone::for(15)->enabled('portal'));
        $this->octane(503, static fn () => Flagstone::for(15)->enabled('portal'));
        $this->octane(404, static fn () => Flagstone::for(16)->enabled('portal'));

        $this->assertCounted(['2xx' => 1, '5xx' => 1], 'portal', 'on');
        $this->assertCounted(['4xx' => 1], 'portal', 'off');
    }

    public function test_a_worker_that_broke_and_a_request_without_an_end_count_as_failed(): void
    {
        Event::dispatch(self::OCTANE . 'RequestReceived', [new stdClass()]);
        Flagstone::for(15)->enabled('portal');
        Event::dispatch(self::OCTANE . 'WorkerErrorOccurred', [new RuntimeException()]);
        Event::dispatch(self::OCTANE . 'RequestReceived', [new stdClass()]);
        Flagstone::for(15)->enabled('portal');
        $this->octane(200, static fn () => Flagstone::for(15)->enabled('portal'));

        $this->assertCounted(['failed' => 2, '2xx' => 1], 'portal', 'on');
    }

    public function test_a_response_that_is_sent_for_long_ends_the_request_at_its_first_byte(): void
    {
        $responses = [new StreamedResponse(static fn () => null), new BinaryFileResponse(__FILE__)];
        foreach ($responses as $response) {
            Event::dispatch(self::OCTANE . 'RequestReceived', [new stdClass()]);
            Flagstone::for(15)->enabled('portal');
            Event::dispatch(new RequestHandled(Request::create('/'), $response));
            Flagstone::for(16)->enabled('portal');
            Event::dispatch(self::OCTANE . 'WorkerErrorOccurred', [new RuntimeException()]);
        }
        $this->assertCounted(['2xx' => 2], 'portal', 'on');
        $this->assertCounted([], 'portal', 'off');

        Event::dispatch(self::OCTANE . 'RequestReceived', [new stdClass()]);
        Flagstone::for(15)->enabled('portal');
        Event::dispatch(new RequestHandled(Request::create('/'), new Response()));
        Event::dispatch(self::OCTANE . 'WorkerErrorOccurred', [new RuntimeException()]);
        $this->assertCounted(['2xx' => 2, 'failed' => 1], 'portal', 'on');
    }

    public function test_a_tick_and_a_task_count_without_a_status(): void
    {
        foreach (['Task', 'Tick'] as $kind) {
            Event::dispatch(self::OCTANE . "{$kind}Received", [new stdClass()]);
            Flagstone::for(15)->enabled('portal');
            Event::dispatch(self::OCTANE . "{$kind}Terminated", [new stdClass()]);
        }
        $this->assertCounted(['none' => 2], 'portal', 'on');
    }

    public function test_a_sync_job_is_part_of_the_request_that_dispatched_it_be_it_one_that_throws(): void
    {
        $this->octane(200, static function (): void {
            \dispatch_sync(new NotesFlag('menu'));
            try {
                \dispatch_sync((new NotesFlag('menu', throws: true))->onConnection('sync'));
                self::fail('the job throws');
            } catch (RuntimeException) {
            }
        });
        $this->assertCounted(['2xx' => 1], 'menu', 'on');
    }

    public function test_jobs_count_each_and_those_that_throw_or_fail_themselves_as_failed(): void
    {
        JobsTable::create();
        Queue::connection('database')->push(new NotesFlag('menu'));
        Queue::connection('database')->push(new NotesFlag('menu', nested: true));
        Queue::connection('database')->push(new GoesWrong('menu', throws: true));
        Queue::connection('database')->push(new GoesWrong('menu', throws: false));
        for ($job = 0; $job < 4; ++$job) {
            \Illuminate\Support\Facades\Artisan::call('queue:work', ['connection' => 'database', '--once' => true, '--sleep' => 0, '--tries' => 1]);
        }
        $this->assertCounted(['none' => 2, 'failed' => 2], 'menu', 'on');
        $this->assertCounted([], 'menu', 'off');
    }

    public function test_a_process_that_is_one_request_marks_nothing(): void
    {
        $this->app->instance(Pin::class, new Pin($this->app, true));
        $pin = $this->app->make(Pin::class);
        $pin->begin('job');
        Flagstone::for(15)->enabled('portal');
        $pin->end('job');
        $this->assertCounted([], 'portal', 'on');
    }

    public function test_a_request_that_a_flag_ended_is_no_cohorts(): void
    {
        Route::get('/portal', static fn (): string => 'portal')->middleware('feature:menu,portal');
        $this->octane(404, fn () => $this->actingAs($this->user(16))->get('/portal')->assertNotFound());
        $this->assertGated(1, 'portal');
        $this->assertGated(0, 'menu');
        $this->assertCounted([], 'portal', 'off');
        $this->assertCounted([], 'menu', 'on');

        $this->octane(200, fn () => $this->actingAs($this->user(15))->get('/portal')->assertOk());
        $this->assertGated(1, 'portal');
        $this->assertCounted(['2xx' => 1], 'portal', 'on');
    }

    public function test_so_does_a_flag_that_is_on_for_nobody_before_any_login_and_one_that_global_middleware_hides(): void
    {
        Route::get('/beta', static fn (): string => 'beta')->middleware('feature:menu|portal');
        Route::post('/portal', static fn (): string => 'portal')->middleware('feature:portal');
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        $this->octane(404, fn () => $this->post('/portal')->assertNotFound());
        $this->assertGated(1, 'portal');

        self::assertSame(0, $this->artisanCode('feature:revive portal'));
        $this->app->make(\Illuminate\Contracts\Http\Kernel::class)->pushMiddleware(HideFeatures::class);
        $this->octane(404, fn () => $this->get('/portal')->assertNotFound());
        $this->assertGated(2, 'portal');
        $this->octane(200, fn () => $this->get('/beta')->assertOk());
        $this->assertGated(2, 'portal');
    }

    public function test_a_layout_and_what_a_page_shares_only_look(): void
    {
        $this->app->make('config')->set('flagstone.share', ['menu']);
        View::addLocation($this->views('menu', '@flagstonepeek("menu") there @else gone @endflagstonepeek @flagstonepeek("portal", 15) too @endflagstonepeek'));
        $this->octane(500, function (): void {
            self::assertSame('there too', (string) \preg_replace('/\s+/', ' ', \trim(View::make('menu')->render())));
            self::assertSame(['menu' => true], Flagstone::shared()->toArray());
            self::assertTrue(Flagstone::peek()->enabled('menu'));
            self::assertFalse(Flagstone::peek()->enabled('portal'));
        });
        $this->assertCounted([], 'menu', 'on');
        $this->assertCounted([], 'portal', 'off');
        // Answers they are all the same.
        $this->assertSame($this->counts() ? 3 : 0, Value::int($this->stats('menu'), 'on') ?? 0);
    }

    public function test_what_a_view_shows_or_hides_by_a_flag_counts(): void
    {
        // Views once only looked, and an application that asks nowhere else was not guarded.
        View::addLocation($this->views('page', '@flagstone("menu") there @endflagstone @feature("portal", 15) too @endfeature'));
        $this->octane(500, static fn () => View::make('page')->render());
        $this->assertCounted(['5xx' => 1], 'menu', 'on');
        $this->assertCounted(['5xx' => 1], 'portal', 'on');
    }

    public function test_what_a_request_tracks_counts_for_the_flags_that_it_asked(): void
    {
        $this->octane(200, static function (): void {
            Flagstone::enabled('menu');
            Flagstone::track('order', 12.5);
        });
        $told = $this->app->make(Changer::class)->command(['experiment', 'menu'], true)->data();
        self::assertSame($this->counts() ? ['order'] : [], \array_column(Value::items($told, 'events'), 'event'));
    }

    public function test_a_fake_counts_a_look_as_asked(): void
    {
        $fake = Flagstone::fake(['menu' => true]);
        View::addLocation($this->views('look', '@flagstonepeek("menu") there @endflagstonepeek'));
        self::assertSame('there', \trim(View::make('look')->render()));
        $fake->assertAsked('menu');
    }

    public function test_stats_show_what_the_command_shows(): void
    {
        $this->octane(200, static fn () => Flagstone::for(15)->enabled('portal'));
        self::assertSame(0, $this->artisanCode('feature stats portal'), $this->printed);
        self::assertStringContainsString($this->counts() ? 'companies  about 1 in the last day' : '0 flags asked', $this->printed);
        self::assertSame(2, $this->artisanCode('feature stats protal'));
        self::assertStringContainsString('did you mean "portal"?', $this->printed);
    }

    private function octane(int $status, callable $do): void
    {
        Event::dispatch(self::OCTANE . 'RequestReceived', [new stdClass()]);
        $do();
        $terminated = new stdClass();
        $terminated->response = new Response('', $status);
        Event::dispatch(self::OCTANE . 'RequestTerminated', [$terminated]);
    }

    /** @param array<string, int> $expected requests by class of status */
    private function assertCounted(array $expected, string $flag, string $cohort): void
    {
        $expected = $this->counts() ? $expected + self::NONE : self::NONE;
        $found = Value::items($this->stats($flag), 'cohorts', $cohort, 'status') + self::NONE;
        \ksort($expected);
        \ksort($found);
        self::assertSame($expected, $found, "$flag, $cohort");
    }

    private function assertGated(int $expected, string $flag): void
    {
        self::assertSame($this->counts() ? $expected : 0, Value::int($this->stats($flag), 'gated') ?? 0);
    }

    private function counts(): bool
    {
        return \extension_loaded('flagstone');
    }

    /** @return array<array-key, mixed> what is counted of the flag */
    private function stats(string $flag): array
    {
        self::assertSame(0, $this->artisanCode("feature:stats $flag --json"), $this->printed);

        return Value::items(Value::items(\json_decode($this->printed, true), 'flags'), '0');
    }

    private function views(string $name, string $text): string
    {
        $folder = $this->app->storagePath() . '/telemetry-views';
        @\mkdir($folder);
        \file_put_contents("$folder/$name.blade.php", $text);

        return $folder;
    }
}
