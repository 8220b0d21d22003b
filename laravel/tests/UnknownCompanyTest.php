<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Exceptions\UnknownCompany;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Models\HasFeatures;
use Flagstone\Laravel\Queue\RequiresFeature;
use Flagstone\Laravel\Subject\JobSubject;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\Login;
use Flagstone\Laravel\Tests\Support\NotesFlag;
use Flagstone\Laravel\Tests\Support\User;
use Illuminate\Auth\GenericUser;
use Illuminate\Foundation\Application;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Blade;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Gate;
use Illuminate\Support\Facades\Log;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Schema;
use Illuminate\Support\Facades\Validator;
use InvalidArgumentException;

/**
 * A company that cannot be determined was asked for as no company, which no list of denied ones names: features were on for those that
 * are denied.
 */
final class UnknownCompanyTest extends TestCase
{
    /** @var list<string> */
    private array $logged = [];

    protected function configure(Application $app): void
    {
        JobsTable::configure($app);
    }

    protected function setUp(): void
    {
        parent::setUp();
        NotesFlag::$noted = [];
        Schema::create('logins', static function ($table): void {
            $table->id();
            $table->string('name')->nullable();
        });
        Schema::create('users', static function ($table): void {
            $table->id();
            $table->string('name')->nullable();
            $table->integer('company_id')->nullable();
            $table->timestamps();
        });
        DB::table('logins')->insert(['id' => 7, 'name' => 'seven']);
        DB::table('users')->insert(['id' => 1, 'name' => 'one', 'company_id' => 7]);
        JobsTable::create();
        $this->publish([
            'portal' => ['enabled' => true, 'companies' => ['deny' => [7]], 'variants' => ['a' => ['weight' => 100, 'value' => 1]]],
            'active' => ['rollout' => ['percentage' => 0], 'rules' => [['name' => 'r', 'when' => ['attribute' => 'suspended', 'exists' => false]]]],
        ]);
        Log::listen(function (object $message): void {
            $this->logged[] = $message->message;
        });
    }

    /** @return array<string, \Closure(): mixed> each way to ask; on is the variant, or true */
    private function ways(): array
    {
        Route::get('/guarded', static fn (): string => 'page')->middleware('feature:portal');

        return [
            'enabled' => static fn () => Flagstone::enabled('portal'),
            'variant' => static fn () => Flagstone::variant('portal'),
            'value' => static fn () => Flagstone::value('portal'),
            'peek' => static fn () => Flagstone::peek()->enabled('portal'),
            'all' => static fn () => Flagstone::all()['portal'],
            'Gate' => static fn () => Gate::allows('feature', 'portal'),
            'Blade' => static fn () => Blade::check('flagstone', 'portal'),
            'Blade, looking' => static fn () => Blade::check('flagstonepeek', 'portal'),
            'the rule' => static fn () => Validator::make(['a' => 1], ['a' => 'feature:portal'])->passes(),
            'middleware' => fn () => $this->withoutExceptionHandling()->get('/guarded')->getContent(),
            'any of several' => static fn () => Flagstone::enabled('portal') || Flagstone::enabled('active'),
            'a job' => static function () {
                \dispatch_sync((new NotesFlag('portal'))->guardedBy(RequiresFeature::for('portal')->skip()));

                return \array_pop(NotesFlag::$noted);
            },
        ];
    }

    public function test_a_company_that_signs_in_is_refused_by_name_in_every_way(): void
    {
        $this->actingAs(Login::find(7));
        foreach ($this->ways() as $way => $ask) {
            try {
                $ask();
                self::fail("$way asks for nobody");
            } catch (UnknownCompany $unknown) {
                self::assertStringContainsString(Login::class . ' has no attribute "company_id"', $unknown->getMessage(), $way);
            }
        }
        self::assertSame('unknown_company', Flagstone::explain('portal')['reason']);
        self::assertFalse(Flagstone::explain('portal')['enabled']);
    }

    public function test_where_nothing_throws_it_is_off_in_every_way_and_logged_once(): void
    {
        $this->app->make('config')->set('flagstone.unknown', 'log');
        $this->actingAs(Login::find(7));
        foreach ($this->ways() as $way => $ask) {
            try {
                $answer = $ask();
            } catch (\Symfony\Component\HttpKernel\Exception\NotFoundHttpException) {
                $answer = false;
            }
            self::assertContains($answer, [false, null], $way);
        }
        self::assertSame('kept', Flagstone::value('portal', 'kept'));
        self::assertCount(1, $this->logged);
        self::assertStringContainsString('cannot determine the company that asks', $this->logged[0]);
    }

    public function test_a_user_whose_company_is_not_named_is_refused_as_an_argument(): void
    {
        $login = Login::find(7);
        foreach ([
            static fn () => Flagstone::for($login),
            static fn () => Flagstone::actingFor($login, static fn (): bool => Flagstone::enabled('portal')),
            static fn () => Flagstone::filter('portal', [$login]),
            static fn () => RequiresFeature::for('portal')->company($login),
            static fn () => Blade::check('flagstone', 'portal', $login),
            static fn () => Gate::allows('feature', ['portal', $login]),
        ] as $ask) {
            try {
                $ask();
                self::fail('asked for nobody');
            } catch (InvalidArgumentException $problem) {
                self::assertStringContainsString(Login::class . ' has no attribute "company_id"', $problem->getMessage());
            }
        }
    }

    public function test_a_company_that_signs_in_is_recognized_by_the_trait(): void
    {
        $company = new class (['id' => 7]) extends Login {
            use HasFeatures;

            /** @return array<string, mixed> */
            public function flagstoneContext(): array
            {
                return ['suspended' => true];
            }
        };
        // Whether it belongs to another company or not, it asks for itself, as Flagstone::for() has it.
        foreach ([[], ['company_id' => null], ['company_id' => 15]] as $parent) {
            $this->actingAs((clone $company)->forceFill($parent));
            self::assertSame([7, false, false], [Flagstone::subject()->company, Flagstone::enabled('portal'), Flagstone::enabled('active')]);
            self::assertFalse(Gate::allows('feature', 'portal'));
            self::assertFalse(Flagstone::for(Auth::user())->enabled('portal'));
        }
    }

    public function test_one_that_belongs_to_no_company_says_so(): void
    {
        $admin = new class (['id' => 1]) extends Login {
            public function flagstoneCompany(): ?int
            {
                return null;
            }
        };
        $this->actingAs($admin);
        self::assertSame([null, true], [Flagstone::subject()->company, Flagstone::enabled('portal')]);
        $this->actingAs($this->user(null));
        self::assertSame([null, true], [Flagstone::subject()->company, Flagstone::enabled('portal')]);
    }

    public function test_only_what_a_user_could_not_tell_is_unknown(): void
    {
        $computed = new class (['id' => 1]) extends Login {
            public function getAttribute($key)
            {
                return null;
            }
        };
        $relation = new class (['id' => 1]) extends Login {
            public function company_id(): \Illuminate\Database\Eloquent\Relations\BelongsTo
            {
                return $this->belongsTo(Support\Company::class, 'none');
            }
        };
        $object = new class ([]) extends GenericUser {
        };
        foreach ([Support\User::create(['name' => 'new']), $computed, $relation, new GenericUser(['id' => 1, 'company_id' => null])] as $user) {
            $this->actingAs($user);
            self::assertSame('full', Flagstone::explain('portal')['reason'], \get_debug_type($user));
        }
        foreach ([new Login(['id' => 1]), new GenericUser(['id' => 1]), $object] as $user) {
            $this->actingAs($user);
            self::assertSame('unknown_company', Flagstone::explain('portal')['reason'], \get_debug_type($user));
        }
    }

    public function test_a_user_that_was_loaded_without_the_column_is_looked_up_once(): void
    {
        Route::get('/asks', static fn (): array => [Flagstone::subject()->company, Flagstone::enabled('portal')]);
        $this->actingAs(Support\User::query()->select('id', 'name')->first());
        DB::enableQueryLog();
        $this->get('/asks')->assertExactJson([7, false]);
        self::assertCount(1, DB::getQueryLog());
        self::assertArrayNotHasKey('company_id', Auth::user()->getAttributes());
    }

    public function test_a_preset_that_names_nothing_is_said(): void
    {
        foreach (['user:compny_id', 'user:company.id', 'route:compny'] as $preset) {
            // Where another source follows it does not answer instead: it would be another company.
            foreach ([[$preset], [$preset, 'header:X-Company']] as $presets) {
                $this->useSubjects(...$presets);
                Route::get('/c/{company}', static fn (): string => 'page')->middleware('feature:portal');
                try {
                    $this->actingAs($this->user(7))->withoutExceptionHandling()->get('/c/7', ['X-Company' => '15']);
                    self::fail("$preset is silent");
                } catch (UnknownCompany $unknown) {
                    self::assertStringContainsString(\substr($preset, \strpos($preset, ':') + 1), $unknown->getMessage());
                }
            }
        }
    }

    public function test_the_doctor_names_a_preset_that_names_nothing(): void
    {
        Route::get('/c/{company}', static fn (): string => 'page');
        foreach (['user:compny_id' => 'no attribute "compny_id"', 'route:compny' => 'route:compny', 'spatie' => 'Spatie\Multitenancy', 'header:' => 'header:', 'user:company_id' => null, 'route:company' => null] as $preset => $problem) {
            $this->useSubjects($preset);
            Artisan::call('feature:doctor', ['--json' => true]);
            $found = \array_column(\array_filter(\json_decode(Artisan::output(), true)['checks'], static fn (array $check): bool => $check['check'] === 'subject'), 'text');
            self::assertCount($problem === null ? 0 : 1, $found, $preset);
            $problem === null || self::assertStringContainsString($problem, \array_pop($found));
        }
    }

    public function test_a_blank_attribute_or_parameter_is_the_usual_one(): void
    {
        // 'user:' . env('TENANT_COLUMN'), which is not set, asked for no company: one that is denied got the page.
        Route::get('/c/{company}', static fn (): string => 'page')->middleware('feature:portal');
        foreach ([['user:'], ['user: '], ['user'], ['route:'], ['route'], [], ['']] as $presets) {
            $this->useSubjects(...$presets);
            $this->actingAs($this->user(7))->get('/c/7')->assertNotFound();
            $this->actingAs($this->user(8))->get('/c/8')->assertOk();
        }
    }

    public function test_a_source_that_can_never_answer_leaves_nobody_known(): void
    {
        Route::get('/c/{company}', static fn (): string => 'page')->middleware('feature:portal');
        $sources = ['header:' => 'header:', 'header: ' => 'header:', 'header: X-Company' => 'header: X-Company', 'spatie' => 'Spatie\Multitenancy', 'filament' => 'Filament\\', 'tenancy' => 'Stancl\Tenancy'];
        foreach ($sources as $preset => $problem) {
            $this->useSubjects($preset);
            foreach ($this->ways() as $way => $ask) {
                try {
                    $this->actingAs($this->user(7));
                    $ask();
                    self::fail("$preset asks for nobody: $way");
                } catch (UnknownCompany $unknown) {
                    self::assertStringContainsString($problem, $unknown->getMessage(), "$preset: $way");
                }
            }
            // A company that is named needs no source.
            self::assertSame([false, true], [Flagstone::for(7)->enabled('portal'), Flagstone::for(8)->enabled('portal')]);
        }
        $this->app->make('config')->set('flagstone.unknown', 'log');
        $this->useSubjects('spatie', 'user:company_id');
        Auth::logout();
        $this->withExceptionHandling()->get('/c/7')->assertNotFound();
        $this->actingAs($this->user(8))->get('/c/7')->assertOk();
        $this->actingAs($this->user(null))->get('/c/7')->assertNotFound();
        self::assertStringContainsString('not installed', $this->logged[0]);
    }

    public function test_a_route_that_lacks_the_parameter_that_others_have_asks_for_nobody(): void
    {
        foreach (['/a/{company}', '/a/{company?}', '/a/{company:slug}', null] as $uri) {
            $this->app->make('router')->setRoutes(new \Illuminate\Routing\RouteCollection());
            $this->useSubjects('route:company');
            if ($uri === null) {
                Route::domain('{company}.example.com')->get('/a', static fn (): string => 'page');
            } else {
                Route::get($uri, static fn (): string => 'page');
            }
            Route::get('/none', static fn (): array => [Flagstone::subject()->company, Flagstone::enabled('portal')]);
            $this->get('/none')->assertExactJson([null, true]);
        }
        Route::get('/fixed', static fn (): array => [Flagstone::subject()->company])->defaults('company', '15');
        $this->get('/fixed')->assertExactJson(['15']);
    }

    public function test_cached_routes_are_looked_through_as_well(): void
    {
        $answers = [];
        foreach (['{company}', '{other}'] as $parameter) {
            $this->useSubjects('route:company');
            $routes = new \Illuminate\Routing\RouteCollection();
            foreach (["p/$parameter", 'none'] as $uri) {
                $routes->add((new \Illuminate\Routing\Route(['GET', 'HEAD'], $uri, ['uses' => Support\AsksPortal::class . '@page', 'as' => $uri]))->setContainer($this->app));
            }
            $this->app->make('router')->setCompiledRoutes($routes->compile());
            $response = $this->get('/none');
            $answers[] = $response->exception === null ? $response->getContent() : \get_class($response->exception);
        }
        self::assertSame(['on', UnknownCompany::class], $answers);
    }

    /** @return array<string, mixed> */
    private function broken(): array
    {
        return ['not encrypted' => 'x', 'no company' => ['context' => []], 'no attributes' => ['company' => 7], 'an array' => ['company' => [7], 'context' => []], 'packed' => ['packed' => 'AAAA'], 'a number' => 7, 'false' => false];
    }

    public function test_a_job_whose_company_cannot_be_read_passes_no_flag(): void
    {
        $this->app->make('config')->set('flagstone.unknown', 'log');
        foreach ($this->broken() as $what => $carried) {
            DB::table('jobs')->delete();
            Flagstone::actingFor(7, fn () => $this->push((new NotesFlag('portal'))->guardedBy(RequiresFeature::for('portal'))));
            Flagstone::actingFor(7, fn () => $this->push(new NotesFlag('portal')));
            foreach (DB::table('jobs')->get() as $row) {
                $payload = ['flagstone' => $carried] + \json_decode($row->payload, true);
                DB::table('jobs')->where('id', $row->id)->update(['payload' => \json_encode($payload)]);
            }
            $this->work(2);
            self::assertSame([false], NotesFlag::$noted, $what);
            self::assertSame(1, DB::table('jobs')->count(), "$what: the guarded one goes back to the queue");
            NotesFlag::$noted = [];
        }
        self::assertNull(Flagstone::subject()->problem());
    }

    public function test_a_job_whose_company_could_not_be_found_out_passes_no_flag(): void
    {
        $this->app->make('config')->set('flagstone.unknown', 'log');
        foreach (['fails', 'is unknown'] as $how) {
            $this->app->instance(Subjects::class, new Subjects([new class ($how) implements SubjectResolver {
                public function __construct(private readonly string $how)
                {
                }

                public function resolve(Request $request): ?Subject
                {
                    return $this->how === 'fails' ? throw new \RuntimeException('the tenants are down') : Subject::unknown('the tenants are down');
                }
            }]));
            $this->app->forgetInstance(JobSubject::class);
            $this->push((new NotesFlag('portal'))->guardedBy(RequiresFeature::for('portal')->skip()));
            $this->push(new NotesFlag('portal'));
            $this->useSubjects('user:company_id');
            $this->work(2);
            self::assertSame([false], NotesFlag::$noted, $how);
            NotesFlag::$noted = [];
        }
    }

    public function test_no_rule_holds_by_attributes_that_could_not_be_found_out(): void
    {
        $this->app->make('config')->set('flagstone.unknown', 'log');
        $user = new class (['id' => 1, 'company_id' => 15]) extends Login {
            /** @return array<string, mixed> */
            public function flagstoneContext(): array
            {
                throw new \RuntimeException('the database is down');
            }
        };
        $this->actingAs($user);
        $this->push(new NotesFlag('active'));
        $this->push(new NotesFlag('portal'));
        Auth::forgetGuards();
        self::assertTrue(Flagstone::for(15)->enabled('active'), 'without attributes the rule holds');
        $this->work(2);
        self::assertSame([false, true], NotesFlag::$noted);
    }

    public function test_a_job_that_nobody_dispatched_is_not_for_the_user_of_the_one_before(): void
    {
        $this->publish(['pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]]]);
        foreach ([static fn () => null, static fn () => Auth::setUser(new Support\User(['id' => 1, 'company_id' => 15]))] as $before) {
            $this->push(new NotesFlag('pilot'));
            $before();
            $this->work(1);
        }
        self::assertSame([false, false], NotesFlag::$noted);
    }

    private function push(object $job): void
    {
        $this->app->make('queue')->connection('database')->push($job);
    }

    private function work(int $jobs): void
    {
        for ($i = 0; $i < $jobs; $i++) {
            Artisan::call('queue:work', ['connection' => 'database', '--once' => true, '--sleep' => 0, '--tries' => 3]);
        }
    }

    private function useSubjects(string ...$presets): void
    {
        $this->app->make('config')->set('flagstone.subject', $presets);
        foreach ([Subjects::class, JobSubject::class, \Flagstone\Laravel\Flagstone::class, \Flagstone\Laravel\Http\CheckFeatureFlag::class, \Flagstone\Laravel\Http\RouteFlags::class] as $class) {
            $this->app->forgetInstance($class);
        }
        Flagstone::clearResolvedInstances();
    }

    public function test_a_question_for_attributes_within_their_own_reading_ends(): void
    {
        $asked = 0;
        $subject = new Subject(15, static function () use (&$asked): array {
            $asked++;

            return ['suspended' => Flagstone::enabled('active')];
        });
        try {
            \Illuminate\Container\Container::getInstance()->make(Subjects::class)->acting($subject, static fn (): bool => Flagstone::enabled('active'));
            self::fail('it was answered');
        } catch (\LogicException $problem) {
            self::assertStringContainsString('asked while they are being read', $problem->getMessage());
        }
        self::assertSame(1, $asked);
    }

    public function test_a_question_within_the_look_up_of_the_user_is_off_and_ends(): void
    {
        // Each asked who is signed in, which looked the user up, which asked: until the memory was used up.
        $this->app->make('config')->set('flagstone.unknown', 'log');
        $this->app->make('config')->set('auth.guards.web', ['driver' => 'asks']);
        $within = [];
        $ask = static function () use (&$within): void {
            $within[] = [Flagstone::enabled('portal'), Blade::check('flagstone', 'portal'), Flagstone::peek()->enabled('portal')];
        };
        Auth::viaRequest('asks', static function () use ($ask): User {
            $ask();

            return new User(['id' => 1, 'company_id' => 15]);
        });
        Route::get('/asks', static fn (): array => [Flagstone::enabled('portal'), Flagstone::enabled('portal'), Flagstone::actingFor(15, static function (): bool {
            Auth::forgetGuards();
            Auth::user();

            return Flagstone::enabled('portal');
        })]);
        $this->withoutExceptionHandling()->get('/asks')->assertExactJson([true, true, true]);
        self::assertSame([false, false, false], $within[0]);
        self::assertLessThan(10, \count($within));
        self::assertCount(1, \array_unique($this->logged));
        self::assertStringContainsString('while the application looks up who is signed in', $this->logged[0]);
    }
}
