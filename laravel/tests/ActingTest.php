<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Fiber;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Subject\TenantListeners;
use Flagstone\Laravel\Tests\Support\NotesCompany;
use Flagstone\Laravel\Tests\Support\User;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Contracts\Support\Responsable;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Bus;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Gate;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Schema;
use Illuminate\Support\LazyCollection;
use InvalidArgumentException;
use PHPUnit\Framework\Attributes\DataProvider;
use Symfony\Component\HttpFoundation\StreamedResponse;

/**
 * Who is asked for: named users, what was set last, and what runs after the closure.
 */
final class ActingTest extends TestCase
{
    protected function setUp(): void
    {
        parent::setUp();
        NotesCompany::$noted = [];
        $this->publish([
            'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [2]]],
            'plan' => ['rollout' => ['percentage' => 0], 'rules' => [['name' => 'pro', 'when' => ['attribute' => 'plan', 'eq' => 'pro']]]],
        ]);
    }

    public function test_a_user_stands_for_the_users_company(): void
    {
        // Users of Pennant write for($user): the user's id was taken for the company's.
        $user = $this->user(15, 2);
        $other = $this->user(2, 15);
        self::assertFalse(Flagstone::for($user)->enabled('pilot'));
        self::assertTrue(Flagstone::for($other)->enabled('pilot'));
        self::assertSame([15, 2], [Flagstone::actingFor($user, fn () => Flagstone::subject()->company), Flagstone::actingFor($other, fn () => Flagstone::subject()->company)]);
        self::assertSame(['b' => $other], Flagstone::filter('pilot', ['a' => $user, 'b' => $other]));
        self::assertTrue(Flagstone::for($user->setRelation('company', null), ['plan' => 'pro'])->enabled('plan'));
        self::assertSame(15, Flagstone::for($user)->explain('pilot')['company']);
        self::assertNull(Flagstone::for($this->user(null, 2))->explain('pilot')['company']);
    }

    public function test_a_user_is_refused_where_nothing_names_its_company(): void
    {
        $this->subjects('tenancy');
        foreach ([
            static fn (User $user) => Flagstone::for($user),
            static fn (User $user) => Flagstone::actingFor($user, static fn (): int => 1),
            static fn (User $user) => Flagstone::filter('pilot', [$user]),
        ] as $ask) {
            try {
                $ask($this->user(15, 2));
                self::fail('a user is no company');
            } catch (InvalidArgumentException $problem) {
                self::assertStringContainsString('pass the company', $problem->getMessage());
            }
        }
    }

    public function test_a_user_that_names_its_company_itself_is_asked(): void
    {
        $this->subjects('tenancy');
        $user = new class (['id' => 7]) extends User {
            public function flagstoneCompany(): int
            {
                return 2;
            }
        };
        self::assertTrue(Flagstone::for($user)->enabled('pilot'));
        self::assertTrue(Gate::forUser($user)->allows('feature', 'pilot'));
    }

    public function test_the_gate_goes_by_the_user_that_it_is_asked_for(): void
    {
        $may = fn (): array => [
            Gate::forUser($this->user(2))->allows('feature', 'pilot'),
            Gate::forUser($this->user(1))->allows('feature', 'pilot'),
        ];
        self::assertSame([true, false], $may());
        self::assertSame([[true, false], [true, false]], [Flagstone::actingFor(1, $may), Flagstone::actingFor(2, $may)]);
        // Whoever is signed in acts for the closure's company.
        $this->actingAs($this->user(1));
        self::assertTrue(Flagstone::actingFor(2, fn () => Gate::allows('feature', 'pilot')));
    }

    /** @return array<string, array{string, \Closure(?int): void}> */
    public static function sources(): array
    {
        $tenant = static fn (?int $id): ?object => $id === null ? null : (object) ['id' => $id];

        return [
            'a user' => ['user:company_id', static function (?int $id): void {
                $id === null ? Auth::logout() : Auth::setUser(new User(['id' => 7, 'company_id' => $id]));
            }],
            'tenancy' => ['tenancy', static function (?int $id): void {
                \app()->instance('Stancl\Tenancy\Tenancy', (object) ['tenant' => $id]);
                Event::dispatch('Stancl\Tenancy\Events\\' . ($id === null ? 'TenancyEnded' : 'TenancyInitialized'), [new \stdClass()]);
            }],
            'spatie' => ['spatie', static function (?int $id): void {
                $id === null ? \app()->forgetInstance('currentTenant') : \app()->instance('currentTenant', $id);
                Event::dispatch('Spatie\Multitenancy\Events\\' . ($id === null ? 'ForgotCurrentTenantEvent' : 'MadeTenantCurrentEvent'), [new \stdClass()]);
            }],
            'filament' => ['filament', static function (?int $id): void {
                \app()->instance('filament', new class ($id) {
                    public function __construct(private readonly ?int $id)
                    {
                    }

                    public function getTenant(): ?int
                    {
                        return $this->id;
                    }
                });
                Event::dispatch('Filament\Events\TenantSet', [new \stdClass()]);
            }],
            'a resolver of the application' => [Support\AlwaysLatest::class, static function (?int $id): void {
                Support\AlwaysLatest::$company = $id;
                \app('flagstone')->forgetSubject();
            }],
        ];
    }

    /**
     * @dataProvider sources
     * @param \Closure(?int): void $become
     */
    #[DataProvider('sources')]
    public function test_what_was_set_last_wins_until_the_closure_ends(string $subject, \Closure $become): void
    {
        $this->subjects($subject);
        (new TenantListeners())->register($this->app);
        $walk = static function () use ($become): array {
            $seen = [Flagstone::subject()->company];
            foreach ([1, 2] as $id) {
                $become($id);
                $seen[] = Flagstone::subject()->company;
                $seen[] = Flagstone::enabled('pilot');
                $seen[] = Flagstone::actingFor(3, static fn () => Flagstone::subject()->company);
            }
            $become(null);

            return [...$seen, Flagstone::subject()->company];
        };
        $walked = [1, false, 3, 2, true, 3];

        foreach ([null, 1, 2, 9] as $dispatcher) {
            self::assertSame([$dispatcher, ...$walked, $dispatcher], Flagstone::actingFor($dispatcher, $walk));
        }
        self::assertNull(Flagstone::subject()->company);
    }

    /**
     * After a temporary switch the company that was there before it was asked for, not the one that the closure acts for.
     *
     * @dataProvider sources
     * @param \Closure(?int): void $become
     */
    #[DataProvider('sources')]
    public function test_a_tenant_or_a_user_that_is_put_back_sets_nothing(string $subject, \Closure $become): void
    {
        $isOwn = $subject === Support\AlwaysLatest::class;
        $this->subjects($isOwn ? Support\SpatieCompany::class : $subject);
        (new TenantListeners())->register($this->app);
        $become = $isOwn ? Support\SpatieTenant::makeCurrent(...) : $become;
        $company = static fn (): int|string|null => Flagstone::subject()->company;
        $become(7);
        self::assertSame([42, 15, 3, 42, 20, 42], Flagstone::actingFor(42, static function () use ($become, $company): array {
            $seen = [$company()];
            $become(15);
            $seen[] = $company();
            $seen[] = Flagstone::actingFor(3, static function () use ($become, $company): int|string|null {
                $become(16);
                $become(15);

                return $company();
            });
            $become(7);
            $seen[] = $company();
            // What is set inside another closure counts there alone.
            Flagstone::actingFor(3, static fn () => $become(16));
            $become(20);
            $seen[] = $company();
            $become(7);

            return [...$seen, $company()];
        }));
        self::assertSame(7, $company());
    }

    public function test_what_an_application_says_itself_is_asked_for(): void
    {
        $user = $this->user(1);
        Auth::setUser($user);
        self::assertSame(2, Flagstone::actingFor(42, static function () use ($user): mixed {
            $user->company_id = 2;
            Flagstone::forgetSubject();

            return Flagstone::subject()->company;
        }));
    }

    public function test_looking_up_who_is_signed_in_all_along_sets_nothing(): void
    {
        $this->app->make('auth')->provider('one', static fn () => new Support\SessionUsers());
        \config(['auth.providers.users' => ['driver' => 'one']]);
        Route::get('/acts', static fn () => [
            Flagstone::actingFor(15, static fn () => [Auth::user()?->getAuthIdentifier(), Flagstone::subject()->company]), Flagstone::subject()->company,
        ])->middleware('web');
        $name = 'login_web_' . \sha1(\Illuminate\Auth\SessionGuard::class);
        $this->withSession([$name => 7])->get('/acts')->assertExactJson([[7, 15], 7]);
    }

    public function test_a_user_who_signs_in_again_sets_nothing(): void
    {
        $this->startSession();
        $this->app->make('auth')->provider('one', static fn () => new Support\SessionUsers());
        \config(['auth.providers.users' => ['driver' => 'one']]);
        Auth::loginUsingId(7);
        // Known by the session alone.
        Auth::forgetGuards();
        self::assertSame([15, 42, 42], Flagstone::actingFor(42, static function (): array {
            $signedIn = Auth::user();
            Auth::loginUsingId(15);
            $seen = [Flagstone::subject()->company];
            Auth::login($signedIn);
            $seen[] = Flagstone::subject()->company;
            Auth::login(clone $signedIn);

            return [...$seen, Flagstone::subject()->company];
        }));
    }

    public function test_another_source_than_the_one_that_finds_the_company_sets_nothing(): void
    {
        $this->subjects('tenancy', 'user:company_id');
        $this->app->instance('Stancl\Tenancy\Tenancy', (object) ['tenant' => 7]);
        self::assertSame(15, Flagstone::actingFor(15, function () {
            Auth::setUser($this->user(1));

            return Flagstone::subject()->company;
        }));
    }

    public function test_what_renders_or_runs_later_belongs_to_the_company_it_was_made_for(): void
    {
        \file_put_contents(\resource_path('views/acting.blade.php'), "@flagstone('pilot') on @else off @endflagstone {{ \$more ?? '' }}");
        $lazy = static fn () => LazyCollection::make(static function () {
            yield 'a' => Flagstone::subject()->company;
            yield 'b' => Flagstone::subject()->company;
        });
        $responsable = static fn () => new class implements Responsable {
            public function toResponse($request)
            {
                return \response(Flagstone::enabled('pilot') ? 'on' : 'off');
            }
        };
        $stream = static fn () => \response()->stream(static function (): void {
            echo Flagstone::enabled('pilot') ? 'on' : 'off';
        });
        foreach (['view' => static fn () => \view('acting'), 'stream' => $stream, 'responsable' => $responsable, 'response' => static fn () => \response()->view('acting')] as $name => $make) {
            foreach ([2 => 'on', 1 => 'off'] as $company => $expected) {
                Route::get("/$name/$company", static fn () => Flagstone::actingFor($company, $make));
                $response = $this->actingAs($this->user($company === 1 ? 2 : 1))->get("/$name/$company")->assertOk();
                $body = $response->baseResponse instanceof StreamedResponse ? $response->streamedContent() : $response->getContent();
                self::assertSame($expected, \trim($body), "$name for $company");
            }
        }
        $this->actingAs($this->user(1));
        $view = Flagstone::actingFor(2, static fn () => \view('acting'))->with('more', 'more');
        self::assertSame('on  more', \trim($view->render()));
        self::assertInstanceOf(\Illuminate\View\View::class, $view);
        self::assertSame('acting', $view->name());

        $items = Flagstone::actingFor(2, $lazy);
        $seen = [];
        foreach ($items as $key => $item) {
            $seen[$key] = [$item, Flagstone::subject()->company];
        }
        self::assertSame(['a' => [2, 1], 'b' => [2, 1]], $seen);
        self::assertSame([2, 2], $items->values()->all());
        $generator = Flagstone::actingFor(2, static function (): \Generator {
            $sent = yield Flagstone::subject()->company;
            yield $sent;

            return Flagstone::subject()->company;
        });
        self::assertSame([2, 'sent'], [$generator->current(), $generator->send('sent')]);
        $generator->next();
        self::assertSame(2, $generator->getReturn());
    }

    public function test_what_runs_after_the_response_belongs_to_the_company_it_was_made_for(): void
    {
        $callbacks = [];
        Route::get('/later', static function () use (&$callbacks): string {
            Flagstone::actingFor(2, static fn () => NotesCompany::dispatchAfterResponse());
            Flagstone::actingFor(3, static fn () => \dispatch(new NotesCompany())->afterResponse());
            Flagstone::actingFor(4, static function () use (&$callbacks): void {
                \app()->terminating(static function (\Illuminate\Contracts\Foundation\Application $app) use (&$callbacks): void {
                    $callbacks[] = [\get_class($app) !== '', Flagstone::subject()->company];
                });
                Flagstone::actingFor(5, static fn () => NotesCompany::dispatchAfterResponse());
            });
            NotesCompany::dispatchAfterResponse();

            return 'page';
        });
        $kernel = $this->app->make(Kernel::class);
        $request = Request::create('/later');
        $response = $kernel->handle($request);
        self::assertSame(['page', []], [$response->getContent(), NotesCompany::$noted]);
        $kernel->terminate($request, $response);

        self::assertSame([2, 3, 5, null], \array_column(NotesCompany::$noted, 0));
        self::assertSame([[true, 4]], $callbacks);
    }

    public function test_deferred_functions_belong_to_the_company_they_were_made_for(): void
    {
        // Laravel 11 and later have the class; here is just so much of it.
        if (!\class_exists('Illuminate\Support\Defer\DeferredCallbackCollection')) {
            require_once __DIR__ . '/doubles/defer.php';
        }
        $class = 'Illuminate\Support\Defer\DeferredCallbackCollection';
        $this->app->instance($class, $deferred = new $class());
        $seen = [];
        $note = static function () use (&$seen): void {
            $seen[] = Flagstone::subject()->company;
        };
        $deferral = 'Illuminate\Support\Defer\DeferredCallback';
        $deferred[] = new $deferral($note);
        Flagstone::actingFor(2, static function () use ($deferred, $deferral, $note): void {
            $deferred[] = new $deferral($note);
        });
        $deferred->invoke();
        self::assertSame([null, 2], $seen);
    }

    public function test_what_is_dispatched_by_an_array_or_a_collection_belongs_to_the_company(): void
    {
        $view = static fn () => \view('acting');
        \file_put_contents(\resource_path('views/acting.blade.php'), "@flagstone('pilot') on @else off @endflagstone");
        $kept = Flagstone::actingFor(2, static fn (): array => [
            'jobs' => \array_map(static fn () => NotesCompany::dispatch(), [1, 2]),
            'more' => \collect([\collect([3])->map(static fn () => NotesCompany::dispatch())]),
            'view' => $view(),
            'plain' => ['a' => 1],
        ]);
        self::assertSame([2, 2, 2], \array_column(NotesCompany::$noted, 0));
        self::assertSame(['on', ['a' => 1]], [\trim($kept['view']->render()), $kept['plain']]);
        // What holds nothing of that kind stays as it is, and an array that holds itself ends.
        $plain = \collect([new User(['id' => 1]), [2]]);
        self::assertSame($plain, Flagstone::actingFor(2, static fn () => $plain));
        $self = [1];
        $self['self'] = &$self;
        self::assertSame(1, Flagstone::actingFor(2, static fn () => $self)[0]);
    }

    public function test_what_waits_for_a_commit_belongs_to_the_company_it_was_made_for(): void
    {
        $seen = [];
        $note = static function () use (&$seen): void {
            $seen[] = Flagstone::subject()->company;
        };
        DB::transaction(static function () use ($note): void {
            DB::afterCommit($note);
            Flagstone::actingFor(2, static function () use ($note): void {
                DB::afterCommit($note);
                Flagstone::actingFor(3, static fn () => DB::afterCommit($note));
                DB::transaction(static fn () => DB::afterCommit($note));
                NotesCompany::dispatch()->afterCommit();
            });
            DB::afterCommit($note);
        });
        \sort($seen);
        self::assertSame([null, null, 2, 2, 3], $seen);
        self::assertSame([2], \array_column(NotesCompany::$noted, 0));
    }

    /** They run in the job that happens to be the last. */
    public function test_the_callbacks_of_a_batch_belong_to_whoever_dispatched_it(): void
    {
        $this->createBatches();
        foreach ([7, null] as $dispatcher) {
            NotesCompany::$noted = [];
            Flagstone::actingFor($dispatcher, static fn () => Bus::batch([new Support\AddsJobFor(5)])->then(new Support\NotesBatch())
                ->finally(static fn () => (new Support\NotesBatch())())->onConnection('database')->dispatch());
            for ($i = 0; $i < 2; $i++) {
                \Illuminate\Support\Facades\Artisan::call('queue:work', ['connection' => 'database', '--once' => true, '--sleep' => 0]);
            }
            self::assertSame([5, $dispatcher, $dispatcher], \array_column(NotesCompany::$noted, 0));
        }
        $batches = $this->app->make(\Illuminate\Bus\BatchRepository::class);
        self::assertCount(2, $batches->get(10, null));
        self::assertTrue($batches->find($batches->get(10, null)[0]->id)->finished());
        self::assertSame(2, $batches->prune(\now()->addDay()));
    }

    public function test_a_batchs_callbacks_of_any_name_belong_to_whoever_dispatched_it(): void
    {
        $this->createBatches();
        // Those of allowFailures() acted for the company of the job that failed: Laravel 13 has them, here they are stored as there.
        $pending = Bus::batch([new Support\AddsJobFor(5)])->allowFailures();
        $pending->options['failure'] = [new Support\NotesBatch()];
        $batch = Flagstone::actingFor(7, fn () => $this->app->make(\Illuminate\Bus\BatchRepository::class)->store($pending));
        Flagstone::actingFor(5, fn () => \array_map(static fn (callable $callback): mixed => $callback($batch), $batch->options['failure']));
        self::assertSame([7], \array_column(NotesCompany::$noted, 0));
    }

    /** The command deleted nothing, as it asks for the class of the repository. */
    public function test_old_batches_are_pruned_as_without_this_package(): void
    {
        $this->createBatches();
        $old = \time() - 30 * 86400;
        $batch = ['name' => '', 'total_jobs' => 1, 'pending_jobs' => 1, 'failed_jobs' => 0, 'failed_job_ids' => '[]', 'created_at' => $old, 'finished_at' => null];
        DB::table('job_batches')->insert([['id' => 'open', 'cancelled_at' => null] + $batch, ['id' => 'cancelled', 'cancelled_at' => $old] + $batch]);
        $options = \method_exists(\Illuminate\Bus\DatabaseBatchRepository::class, 'pruneCancelled') ? ['--cancelled' => 72] : [];
        \Illuminate\Support\Facades\Artisan::call('queue:prune-batches', ['--unfinished' => 72] + $options);
        self::assertSame(0, DB::table('job_batches')->count());
    }

    private function createBatches(): void
    {
        Support\JobsTable::createBatches();
        \config(['queue.connections.database' => ['driver' => 'database', 'table' => 'jobs', 'queue' => 'default', 'retry_after' => 90]]);
        Support\JobsTable::create();
    }

    /** A listener that failed kept the company for the rest of the request and, under Octane, for the next ones. */
    public function test_no_listener_keeps_a_failed_jobs_company(): void
    {
        $this->app->make('queue');
        $log = [];
        foreach ([\Illuminate\Queue\Events\JobExceptionOccurred::class, \Illuminate\Queue\Events\JobProcessed::class] as $event) {
            $this->refreshApplication();
            // The application's own, which is there before the queue is made.
            Event::listen($event, static function () use (&$log): void {
                $log[] = Flagstone::subject()->company;

                throw new \RuntimeException('cannot log');
            });
            foreach ([true, false] as $throws) {
                try {
                    Flagstone::actingFor(15, static fn () => Flagstone::actingFor(5, static function () use ($throws): void {
                        try {
                            \dispatch_sync((new NotesCompany(throws: $throws))->onConnection('sync'));
                        } catch (\RuntimeException $kept) {
                        }
                        self::assertSame(5, Flagstone::subject()->company);
                        $job = new NotesCompany(throws: $throws);
                        try {
                            Flagstone::actingFor(7, static fn () => \dispatch_sync($job->onConnection('sync')));
                        } catch (\RuntimeException $kept) {
                        }
                        self::assertSame(5, Flagstone::subject()->company);
                    }));
                } finally {
                    self::assertNull(Flagstone::subject()->company);
                }
            }
        }
        self::assertNotSame([], $log);
    }

    public function test_a_request_of_octane_begins_with_nobodys_job(): void
    {
        require_once __DIR__ . '/doubles/OctaneServiceProvider.php';
        $this->app->register(\Laravel\Octane\OctaneServiceProvider::class);
        (new \Flagstone\Laravel\Lifecycle\OctaneListeners())->register($this->app);
        $job = new \Illuminate\Queue\Jobs\SyncJob($this->app, (string) \json_encode(['flagstone' => ['company' => 5, 'context' => []]]), 'sync', 'sync');
        $this->app->make(\Flagstone\Laravel\Subject\JobSubject::class)->begin($job);
        self::assertSame(5, Flagstone::subject()->company);
        Event::dispatch('Laravel\Octane\Events\RequestReceived', [new \stdClass()]);
        self::assertNull(Flagstone::subject()->company);
    }

    public function test_a_fiber_that_is_resumed_within_another_closure_is_asked_for_nobody_else(): void
    {
        $this->publish(['pilot' => ['enabled' => true, 'companies' => ['deny' => [7]]]]);
        \config(['flagstone.unknown' => 'log']);
        $ask = static function (): array {
            $first = [Flagstone::subject()->company, Flagstone::enabled('pilot')];
            Fiber::suspend();

            return [$first, [Flagstone::subject()->company, Flagstone::enabled('pilot')]];
        };
        Auth::setUser($this->user(7));
        $outside = new Fiber($ask);
        $outside->start();
        Flagstone::actingFor(5, static fn () => $outside->resume());
        self::assertSame([[7, false], [null, false]], $outside->getReturn());

        Auth::setUser($this->user(5));
        $inside = new Fiber($ask);
        Flagstone::actingFor(7, static fn () => $inside->start());
        $inside->resume();
        self::assertSame([[7, false], [null, false]], $inside->getReturn());
        self::assertSame([5, true], [Flagstone::subject()->company, Flagstone::enabled('pilot')]);

        $own = new Fiber(static fn (): array => Flagstone::actingFor(7, $ask));
        $own->start();
        Flagstone::actingFor(5, static fn () => $own->resume());
        self::assertSame([[7, false], [7, false]], $own->getReturn());
    }

    public function test_fibers_do_not_mix(): void
    {
        $ask = static fn (int $company): Fiber => new Fiber(static fn () => Flagstone::actingFor($company, static function (): array {
            Fiber::suspend();

            return [Flagstone::subject()->company, Flagstone::enabled('pilot'), Flagstone::actingFor(3, static function () {
                Fiber::suspend();

                return Flagstone::subject()->company;
            })];
        }));
        [$one, $two] = [$ask(1), $ask(2)];
        $one->start();
        $two->start();
        self::assertNull(Flagstone::subject()->company);
        $one->resume();
        $two->resume();
        self::assertSame(9, Flagstone::actingFor(9, static function () use ($one) {
            $one->resume();

            return Flagstone::subject()->company;
        }));
        $two->resume();
        self::assertSame([[1, false, 3], [2, true, 3]], [$one->getReturn(), $two->getReturn()]);
        // One that says nothing of its own is part of the closure that runs it.
        $part = new Fiber(static fn () => Flagstone::subject()->company);
        Flagstone::actingFor(2, static fn () => $part->start());
        self::assertSame(2, $part->getReturn());
    }

    private function subjects(string ...$presets): void
    {
        $this->app->make('config')->set('flagstone.subject', $presets);
        foreach ([\Flagstone\Laravel\Subject\Subjects::class, \Flagstone\Laravel\Flagstone::class, 'flagstone'] as $made) {
            $this->app->forgetInstance($made);
        }
        Flagstone::clearResolvedInstances();
        $this->app->make('flagstone')->driver()->refresh();
    }
}
