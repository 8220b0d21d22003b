<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Flagstone as Flags;
use Flagstone\Laravel\Lifecycle\Pin;
use Flagstone\Laravel\Queue\RequiresFeature;
use Flagstone\Laravel\Subject\JobSubject;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\NotesCompany;
use Flagstone\Laravel\Tests\Support\NotesFlag;
use Illuminate\Foundation\Application;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Route;

/**
 * Who is asking travels with a queued job, and stays with it.
 */
final class JobsTest extends TestCase
{
    protected function configure(Application $app): void
    {
        $config = $app->make('config');
        $config->set('queue.default', 'database');
        JobsTable::configure($app);
    }

    protected function setUp(): void
    {
        parent::setUp();
        NotesCompany::$noted = [];
        $this->publish(['portal' => true]);
        JobsTable::create();
    }

    public function test_a_job_runs_for_the_company_whose_request_dispatched_it(): void
    {
        Route::post('/dispatch', function (): string {
            \dispatch(new NotesCompany());

            return 'done';
        });
        foreach ([15, 'acme'] as $company) {
            $this->actingAs($this->user($company))->post('/dispatch');
        }
        $this->app->make('auth')->forgetGuards();
        $this->work();

        $this->assertSame([[15, []], ['acme', []]], NotesCompany::$noted);
    }

    public function test_a_job_that_nobody_dispatched_for_a_company_runs_for_none_after_one_that_threw(): void
    {
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany(throws: true)));
        $this->push(new NotesCompany());
        $this->work();

        $this->assertSame([[15, []], [null, []]], NotesCompany::$noted);
    }

    public function test_a_job_inside_a_job_gives_back_the_outer_jobs_company(): void
    {
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany(new NotesCompany())));
        $this->work();

        $this->assertSame([[15, []], ['inside', []], [15, []]], NotesCompany::$noted);
    }

    public function test_a_sync_job_that_throws_leaves_the_request_its_company(): void
    {
        Flagstone::actingFor(15, function (): void {
            try {
                \dispatch_sync((new NotesCompany(throws: true))->onConnection('sync'));
                $this->fail('the job throws');
            } catch (\RuntimeException) {
            }
            $this->assertSame(15, Flagstone::subject()->company);
        });
        $this->assertNull(Flagstone::subject()->company);
    }

    public function test_whom_an_encrypted_job_is_for_is_encrypted_too(): void
    {
        Flagstone::actingFor('acme-secret', fn () => $this->push(new Support\NotesSecretly()));
        $payload = (string) DB::table('jobs')->value('payload');
        $this->assertArrayHasKey('flagstone', \json_decode($payload, true));
        $this->assertStringNotContainsString('acme', $payload);

        $this->work();
        $this->assertSame(['acme-secret'], Support\NotesSecretly::$noted);
    }

    public function test_attributes_travel_that_some_flag_reads_and_no_others(): void
    {
        $context = ['plan' => 'pro', 'secret' => 'x', 'tags' => ['a']];
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany()), $context);
        $this->publish(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [
            ['name' => 'plan', 'when' => ['any' => [
                ['attribute' => 'plan', 'in' => ['pro']], ['attribute' => 'tags', 'exists' => true],
            ]]],
        ]]]);
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany()), $context);
        $this->assertStringNotContainsString('secret', DB::table('jobs')->get()->toJson());
        $this->work();

        $this->assertSame([[15, []], [15, ['plan' => 'pro', 'tags' => []]]], NotesCompany::$noted);
    }

    public function test_a_payload_without_a_company_gains_nothing(): void
    {
        $this->push(new NotesCompany());

        $this->assertArrayNotHasKey('flagstone', \json_decode(DB::table('jobs')->value('payload'), true));
    }

    public function test_a_company_and_attributes_that_json_cannot_hold_travel_all_the_same(): void
    {
        // A key of random bytes, or a text in another encoding, ended dispatch() with an InvalidPayloadException.
        $this->publish(['portal' => ['rollout' => ['percentage' => 0], 'rules' => [['name' => 'x', 'when' => ['any' => [
            ['attribute' => 'city', 'eq' => 'x'], ['attribute' => 'score', 'gt' => 1], ['attribute' => 'plan', 'eq' => 'pro'],
        ]]]]]]);
        $carried = [
            ["\xff\xfe", []], [15, ['city' => "M\xfcnchen"]], [15, ['score' => \INF, 'plan' => 'pro']], ["a\0b", ['city' => "\0"]],
        ];
        foreach ($carried as [$company, $context]) {
            Flagstone::actingFor($company, fn () => $this->push(new NotesCompany()), $context);
        }
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany()), ['score' => \NAN]);
        Flagstone::actingFor("\xff", fn () => $this->push(new Support\NotesSecretly()));
        $guard = RequiresFeature::for('portal')->company("\xff", ['city' => "M\xfcnchen"])->skip();
        Flagstone::actingFor("\xff", fn () => $this->push((new NotesFlag('portal'))->through([$guard])));
        $this->work();

        $this->assertNan(\array_pop(NotesCompany::$noted)[1]['score']);
        $this->assertSame($carried, NotesCompany::$noted);
    }

    public function test_a_float_travels_exactly_whatever_serialize_precision_says(): void
    {
        // With 14 or less, 0.1 + 0.2 arrived as 0.3.
        $this->publish(['portal' => ['rollout' => ['percentage' => 0], 'rules' => [['name' => 'x', 'when' => ['attribute' => 'score', 'gt' => 1]]]]]);
        $before = (string) \ini_get('serialize_precision');
        $floats = [0.1 + 0.2, 1 / 3, 7.0, -0.0, 5e-324, \PHP_FLOAT_MAX, 1e25];
        try {
            foreach (['-1', '0', '5', '14', '17', '40'] as $precision) {
                \ini_set('serialize_precision', $precision);
                NotesCompany::$noted = [];
                foreach ($floats as $score) {
                    Flagstone::actingFor(15, fn () => $this->push(new NotesCompany()), ['score' => $score]);
                }
                $this->work();
                $arrived = \array_map(static fn (array $noted): string => \bin2hex(\pack('E', $noted[1]['score'])), NotesCompany::$noted);
                $this->assertSame(\array_map(static fn (float $score): string => \bin2hex(\pack('E', $score)), $floats), $arrived, $precision);
            }
        } finally {
            \ini_set('serialize_precision', $before);
        }
    }

    public function test_no_error_of_the_package_stops_a_job(): void
    {
        $this->app->instance(Subjects::class, new Subjects([new class implements SubjectResolver {
            public function resolve(Request $request): ?Subject
            {
                throw new \RuntimeException('the resolver fails');
            }
        }]));
        $this->app->forgetInstance(JobSubject::class);
        $this->push(new NotesCompany());
        $this->assertLogged('the resolver fails');

        $this->app->forgetInstance(Subjects::class);
        $this->app->forgetInstance(JobSubject::class);
        foreach (['not encrypted', ['company' => ['no', 'company']], ['packed' => 'AAAA'], 7] as $broken) {
            $payload = ['flagstone' => $broken] + \json_decode(DB::table('jobs')->value('payload'), true);
            DB::table('jobs')->insert(['payload' => \json_encode($payload)] + (array) DB::table('jobs')->first(['queue', 'attempts', 'available_at', 'created_at']));
        }
        $ran = 0;
        $this->app->make('events')->listen(\Illuminate\Queue\Events\JobProcessed::class, static function () use (&$ran): void {
            ++$ran;
        });
        $this->work();
        $this->assertSame([5, 0], [$ran, DB::table('jobs')->count()]);
        $this->assertLogged('DecryptException');
        $this->assertLogged('expected a company');
    }

    public function test_a_driver_that_is_none_stops_no_dispatch_and_no_worker(): void
    {
        $this->app->make('config')->set('flagstone.driver', 'nonsense');
        foreach ([Drivers::class, Flags::class, JobSubject::class, Pin::class] as $made) {
            $this->app->forgetInstance($made);
        }
        $subjects = $this->app->make(Subjects::class);
        $subjects->acting(new Subject(15), fn () => $this->push(new NotesCompany()));
        $this->assertSame(15, \json_decode(DB::table('jobs')->value('payload'), true)['flagstone']['company']);
        Artisan::call('queue:work', ['--stop-when-empty' => true, '--tries' => 1, '--sleep' => 0]);

        $this->assertSame([[15, []]], NotesCompany::$noted);
        $this->assertLogged('nonsense');
    }

    private function assertLogged(string $text): void
    {
        $this->assertStringContainsString($text, (string) @\file_get_contents($this->app->storagePath() . '/logs/laravel.log'));
    }

    private function push(object $job): void
    {
        $this->app->make('queue')->connection('database')->push($job);
    }

    private function work(): void
    {
        Artisan::call('queue:work', ['--stop-when-empty' => true, '--tries' => 1, '--sleep' => 0]);
    }
}
