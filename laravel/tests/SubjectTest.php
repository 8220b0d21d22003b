<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Queue\RequiresFeature;
use Flagstone\Laravel\Subject\Presets;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Database\Eloquent\Collection;
use Illuminate\Database\Query\Expression;
use Illuminate\Foundation\Http\FormRequest;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Routing\Middleware\SubstituteBindings;
use Illuminate\Support\Carbon;
use Illuminate\Support\Facades\Blade;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Gate;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Schema;
use Illuminate\Support\HtmlString;
use Illuminate\Support\MessageBag;
use Illuminate\Support\Str;
use Illuminate\Support\ViewErrorBag;
use InvalidArgumentException;

/**
 * Which company is asking.
 */
final class SubjectTest extends TestCase
{
    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 'acme']]],
            'enterprise' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [
                ['name' => 'plan', 'when' => ['attribute' => 'plan', 'in' => ['enterprise']]],
            ]],
            'staff' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [
                ['name' => 'user', 'when' => ['attribute' => 'user', 'in' => [7]]],
            ]],
        ]);
    }

    public function test_the_company_is_the_signed_in_users(): void
    {
        $this->assertSame([15, 'acme', null], \array_map(
            fn (int|string|null $company) => $this->found(['user:company_id'], $this->user($company))->company,
            [15, 'acme', null],
        ));
        $member = new Support\User(['current_team_id' => 8]);
        $this->assertSame(8, $this->found(['user:current_team_id'], $member)->company);
        $this->assertNull($this->found(['user:company_id'], null)->company);
    }

    public function test_a_column_that_is_computed_or_cast_is_asked_of_the_model(): void
    {
        $computed = new class (['company_id' => 15]) extends Support\User {
            public function getCompanyIdAttribute(int $id): string
            {
                return "company-$id";
            }
        };
        $cast = new class (['company_id' => '015']) extends Support\User {
            protected $casts = ['company_id' => 'integer'];
        };
        $derived = new class (['name' => 'acme']) extends Support\User {
            public function getCompanyIdAttribute(): string
            {
                return $this->name;
            }
        };

        $this->assertSame('company-15', $this->found(['user:company_id'], $computed)->company);
        $this->assertSame(15, $this->found(['user:company_id'], $cast)->company);
        $this->assertSame('acme', $this->found(['user:company_id'], $derived)->company);
    }

    public function test_it_is_the_tenant_that_another_package_has_found(): void
    {
        $tenant = (new Support\Company())->forceFill(['id' => 15]);
        $this->app->instance('Stancl\Tenancy\Tenancy', (object) ['tenant' => $tenant]);
        $this->assertSame(15, $this->found(['tenancy'])->company);

        $this->app->instance('currentTenant', $tenant);
        $this->assertSame(15, $this->found(['spatie'])->company);

        $this->app->instance('filament', new class ($tenant) {
            public function __construct(private readonly object $tenant)
            {
            }

            public function getTenant(): object
            {
                return $this->tenant;
            }
        });
        $this->assertSame(15, $this->found(['filament'])->company);
    }

    public function test_a_package_that_is_absent_or_has_found_none_leaves_the_question_to_the_next_preset(): void
    {
        $all = ['tenancy', 'spatie', 'filament', 'route:company', 'header:X-Company', 'user:company_id'];

        $this->assertSame(15, $this->found($all, $this->user(15))->company);
        $this->assertNull($this->found($all)->company);
        $this->assertSame('42', $this->found($all, $this->user(15), ['HTTP_X_COMPANY' => '42'])->company);
    }

    public function test_it_is_a_route_parameter_or_the_model_bound_to_it(): void
    {
        $this->useSubject('route:company');
        Route::get('/{company}/page', fn () => 'page')->middleware('feature:pilot');

        $this->get('/15/page')->assertOk();
        $this->get('/acme/page')->assertOk();
        $this->get('/16/page')->assertNotFound();

        $request = Request::create('/slug/page');
        $route = Route::get('/{company}/page', fn () => 'page')->bind($request);
        $route->setParameter('company', new Support\Company(['id' => 16]));
        $request->setRouteResolver(fn () => $route);
        $this->assertSame(16, $this->app->make(Subjects::class)->of($request)->company);
    }

    public function test_a_route_by_another_key_than_the_companys_own_finds_the_company_before_the_flag_is_asked(): void
    {
        $this->useSubject('route:site');
        Schema::create('sites', function ($table): void {
            $table->id();
            $table->string('slug');
        });
        foreach ([15 => 'fifteen', 16 => 'acme'] as $id => $slug) {
            Support\Site::query()->insert(['id' => $id, 'slug' => $slug]);
        }
        $page = fn (Support\Site $site): array => [$site->id, Flagstone::subject()->company, Flagstone::enabled('pilot')];
        Route::get('/s/{site}', $page)->middleware(['feature:pilot', SubstituteBindings::class]);
        Route::get('/i/{site:id}', $page)->middleware(['feature:pilot', SubstituteBindings::class]);
        $queries = 0;
        DB::listen(function () use (&$queries): void {
            ++$queries;
        });

        $this->get('/s/fifteen')->assertOk()->assertExactJson([15, 15, true]);
        $this->assertSame(1, $queries, 'what the flag found is what the route is given');
        $this->get('/s/acme')->assertNotFound();
        $this->assertSame($this->get('/unrouted')->getContent(), $this->get('/s/absent')->assertNotFound()->getContent());

        $queries = 0;
        $this->get('/i/15')->assertOk();
        $this->get('/i/16')->assertNotFound();
        $this->assertSame(1, $queries, 'a primary key is the company\'s, and nothing is looked up');
        // A denied company was let in by another spelling of its key, for which the database finds the same row.
        foreach (['015', '15.0', '%2015'] as $spelling) {
            $this->get("/i/$spelling")->assertOk()->assertExactJson([15, 15, true]);
        }
    }

    /** The middleware looked for the slug alone, and gave the route what it found: a page of another owner. */
    public function test_a_company_below_its_owner_is_the_one_that_the_route_binds(): void
    {
        $this->useSubject('route:site');
        Schema::create('owners', static fn ($table) => $table->id());
        Schema::create('sites', static function ($table): void {
            $table->id();
            $table->foreignId('owner_id');
            $table->string('slug');
        });
        Support\Owner::query()->insert([['id' => 1], ['id' => 2]]);
        Support\Site::query()->insert([
            ['id' => 15, 'owner_id' => 1, 'slug' => 'main'], ['id' => 16, 'owner_id' => 2, 'slug' => 'main'], ['id' => 17, 'owner_id' => 2, 'slug' => 'acme'],
        ]);
        $page = static fn (Support\Owner $owner, Support\Site $site): array => [$owner->id, $site->id, Flagstone::subject()->company];
        Route::get('/o/{owner}/{site:slug}', $page)->middleware(['feature:pilot', SubstituteBindings::class]);

        $this->get('/o/1/main')->assertOk()->assertExactJson([1, 15, 15]);
        $this->get('/o/2/main')->assertNotFound();
        $this->get('/o/1/acme')->assertNotFound();
        $this->get('/o/3/main')->assertNotFound();
    }

    public function test_attributes_that_are_no_array_are_refused(): void
    {
        $company = new class (['id' => 15]) extends Support\Site {
            public function flagstoneContext(): mixed
            {
                return \collect(['suspended' => true]);
            }
        };
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('expected an array of attributes by name');
        Flagstone::for($company)->enabled('enterprise');
    }

    public function test_a_route_parameter_that_the_application_binds_by_itself_is_bound_so_for_the_flag(): void
    {
        $this->useSubject('route:company');
        Route::bind('company', fn (string $value): Support\Company => new Support\Company(['id' => (int) \substr($value, 2)]));
        Route::get('/{company}/page', fn (Support\Company $company): int => $company->id)
            ->middleware(['feature:pilot', SubstituteBindings::class]);

        $this->get('/c-15/page')->assertOk()->assertSee('15');
        $this->get('/c-16/page')->assertNotFound();
    }

    /** A page that is a Livewire component binds its models itself, and was asked for by the text of the path. */
    public function test_it_is_the_model_that_a_livewire_page_binds(): void
    {
        require_once __DIR__ . '/doubles/packages.php';
        $this->useSubject('route:owner');
        $this->publish(['pilot' => ['enabled' => true, 'companies' => ['deny' => [7]]]]);
        Schema::create('owners', static function ($table): void {
            $table->id();
            $table->string('slug');
        });
        DB::table('owners')->insert([['id' => 5, 'slug' => 'five'], ['id' => 7, 'slug' => 'seven']]);
        Route::get('/property/{owner}', Support\OwnerPage::class)->middleware('feature:pilot');
        Route::get('/mount/{owner}', Support\OwnerMountPage::class)->middleware('feature:pilot');
        Route::get('/slug/{owner:slug}', Support\OwnerPage::class)->middleware('feature:pilot');
        Route::get('/below/{tenant}/{owner:slug}', Support\OwnerPage::class)->middleware('feature:pilot');

        foreach (['property', 'mount'] as $way) {
            $this->get("/$way/5")->assertOk()->assertSee('owner 5 on');
            $this->get("/$way/7")->assertNotFound();
            $this->get("/$way/07")->assertNotFound();
        }
        $this->get('/slug/five')->assertOk()->assertSee('owner 5 on');
        $this->get('/slug/seven')->assertNotFound();
        // Which one it is below another model, only the component knows.
        $this->expectException(\Flagstone\Laravel\Exceptions\UnknownCompany::class);
        $this->withoutExceptionHandling()->get('/below/1/seven');
    }

    /** A component's later requests have no parameter, and asked for nobody. */
    public function test_it_is_the_page_that_a_livewire_component_is_on(): void
    {
        require_once __DIR__ . '/doubles/packages.php';
        $this->useSubject('route:owner');
        $this->publish(['pilot' => ['enabled' => true, 'companies' => ['deny' => ['7', 'seven']]]]);
        \config(['flagstone.unknown' => 'log']);
        Schema::create('owners', static function ($table): void {
            $table->id();
            $table->string('slug');
        });
        DB::table('owners')->insert([['id' => 5, 'slug' => 'five'], ['id' => 7, 'slug' => 'seven']]);
        Route::get('/text/{owner}', static fn (): string => 'page');
        Route::get('/model/{owner:slug}', Support\OwnerPage::class);
        Route::get('/none', static fn (): string => 'page');
        Route::post('/livewire/update', 'Livewire\Updates@handleUpdate');
        $three = static fn (string ...$paths): array => ['components' => \array_map(
            static fn (string $path): array => ['snapshot' => \json_encode(['memo' => ['path' => $path, 'method' => 'GET']]), 'updates' => [], 'calls' => []],
            $paths,
        )];
        $two = static fn (string $path): array => ['fingerprint' => ['path' => $path, 'method' => 'GET']];
        foreach ([$three, $two] as $send) {
            foreach (['text/5' => ['5', true], 'text/7' => ['7', false], 'model/five' => [5, true], 'model/seven' => [7, false], 'none' => [null, true], 'absent' => [null, false]] as $path => $expected) {
                $this->postJson('/livewire/update', $send($path))->assertExactJson($expected);
            }
        }
        $this->postJson('/livewire/update', $three('text/5', 'text/5'))->assertExactJson(['5', true]);
        foreach ([[], $three('text/5') + $two('text/7'), $three('text/5', 'text/7'), ['components' => 'x'], ['components' => [['snapshot' => '7']]], ['fingerprint' => 7]] as $broken) {
            $this->postJson('/livewire/update', $broken)->assertExactJson([null, false]);
        }
    }

    public function test_a_model_that_is_not_found_is_left_to_the_route(): void
    {
        $this->useSubject('route:owner');
        $this->publish(['pilot' => true]);
        Schema::create('owners', static fn ($table) => $table->id());
        DB::table('owners')->insert(['id' => 5]);
        Route::model('owner', Support\Owner::class);
        Route::get('/o/{owner}', static fn (Support\Owner $owner): int => $owner->id)->middleware([SubstituteBindings::class, 'feature:pilot'])
            ->missing(static fn () => \response('none', 410));
        $this->get('/o/5')->assertOk();
        $this->get('/o/99')->assertStatus(410);
    }

    public function test_it_is_what_a_class_of_the_application_finds(): void
    {
        $this->assertSame('acme', $this->found([Support\AlwaysAcme::class])->company);
    }

    public function test_a_preset_that_does_not_exist_is_named(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('subject names "tennancy", expected user:ATTRIBUTE, tenancy, spatie');
        (new Presets($this->app))->make('tennancy');
    }

    public function test_it_is_found_once_per_request(): void
    {
        Support\AlwaysAcme::$asked = 0;
        $this->useSubject(Support\AlwaysAcme::class);
        Route::get('/pilot', fn () => [Flagstone::enabled('pilot'), Flagstone::variant('pilot')])
            ->middleware('feature:pilot');

        $this->get('/pilot')->assertOk();
        $this->assertSame(1, Support\AlwaysAcme::$asked);
        $this->get('/pilot')->assertOk();
        $this->assertSame(2, Support\AlwaysAcme::$asked);
    }

    public function test_the_next_request_is_another_company(): void
    {
        Route::get('/who', fn () => [Flagstone::subject()->company])->middleware('web');

        $this->actingAs($this->user(15))->get('/who')->assertExactJson([15]);
        $this->actingAs($this->user(16))->get('/who')->assertExactJson([16]);
    }

    public function test_context_is_gathered_for_flags_that_read_any_and_for_no_other(): void
    {
        Support\Company::$asked = 0;
        $user = $this->user(16)->setRelation('company', new Support\Company(['id' => 16, 'plan' => 'enterprise']));
        $this->actingAs($user);
        $this->assertFalse(Flagstone::enabled('pilot'));
        $this->assertSame(0, Support\Company::$asked);

        Route::get('/context', fn () => [Flagstone::enabled('enterprise'), Flagstone::enabled('staff')]);
        $this->get('/context')->assertExactJson([true, true]);
        $this->assertSame(1, Support\Company::$asked);
    }

    public function test_the_asker_may_add_attributes(): void
    {
        $this->assertFalse(Flagstone::enabled('enterprise'));
        $this->assertTrue(Flagstone::enabled('enterprise', ['plan' => 'enterprise']));
        $this->assertTrue(Flagstone::for(16, ['plan' => 'enterprise'])->enabled('enterprise'));
        $this->assertFalse(Flagstone::for(16, ['plan' => 'enterprise'])->enabled('enterprise', ['plan' => 'free']));
    }

    public function test_another_company_is_asked_for_by_key_model_or_stringable(): void
    {
        $this->actingAs($this->user(15));

        $this->assertTrue(Flagstone::for(15)->enabled('pilot'));
        $this->assertTrue(Flagstone::for('15')->enabled('pilot'));
        $this->assertTrue(Flagstone::for(new Support\Company(['id' => 15]))->enabled('pilot'));
        $this->assertTrue(Flagstone::for(\Illuminate\Support\Str::of('acme'))->enabled('pilot'));
        $this->assertFalse(Flagstone::for(16)->enabled('pilot'));
        $this->assertFalse(Flagstone::for(null)->enabled('pilot'));
        $model = new Support\Company(['id' => 16, 'plan' => 'enterprise']);
        $this->assertTrue(Flagstone::for($model)->enabled('enterprise'));
    }

    /** A collection's text is no company's key: companies in "deny" passed. */
    public function test_anything_else_is_refused(): void
    {
        foreach (self::nonsense() as $company) {
            $this->refuses($company);
        }
    }

    /** It was asked for as no company, and passed every list of denied ones. */
    public function test_a_model_that_is_not_saved_is_refused(): void
    {
        foreach ([Support\Company::class, Support\Site::class] as $class) {
            try {
                Flagstone::filter('pilot', [new $class()]);
                $this->fail("$class is taken for a company");
            } catch (InvalidArgumentException $refused) {
                $this->assertStringContainsString("$class has no key: it is not saved", $refused->getMessage());
            }
        }
    }

    /** @return list<mixed> */
    private static function nonsense(): array
    {
        return [
            true, 15.0, [15], new \stdClass(), Support\Channel::Mail, \collect([15]), new Collection([new Support\Company()]),
            \collect([15])->lazy(), new \ArrayObject([15]), new MessageBag(['15']), new ViewErrorBag(), new Request(), new Response('15'),
            new \RuntimeException('15'), new \DateTimeImmutable(), Carbon::now(), new \SplFileInfo('15'), new HtmlString('15'),
            new \ReflectionClass(\stdClass::class), new Expression('15'),
            new class () extends FormRequest {
            },
            new class () {
                /** @return list<int> */
                public function toArray(): array
                {
                    return [15];
                }

                public function __toString(): string
                {
                    return '15';
                }
            },
            new class () implements \Illuminate\Contracts\Support\Jsonable {
                public function toJson($options = 0): string
                {
                    return '{"id":15}';
                }

                public function __toString(): string
                {
                    return $this->toJson();
                }
            },
            new class () {
                public function __toString(): string
                {
                    return "several\nlines";
                }
            },
        ];
    }

    private function refuses(mixed $company): void
    {
        $type = \get_debug_type($company);
        $this->app->instance('currentTenant', $company);
        $user = new class () extends Support\User {
            public mixed $company_id = null;
        };
        $user->company_id = $company;
        $ways = [
            'for' => static fn () => Flagstone::for($company)->enabled('pilot'),
            'actingFor' => static fn () => Flagstone::actingFor($company, static fn () => Flagstone::enabled('pilot')),
            'filter' => static fn () => Flagstone::filter('pilot', [$company]),
            'a Subject, where PHP would make a string of it' => static fn () => (new \ReflectionClass(Subject::class))->newInstance($company),
            'Blade' => static fn () => Blade::check('flagstone', 'pilot', $company),
            'Blade, looking' => static fn () => Blade::check('flagstonepeek', 'pilot', $company),
            'a job' => static fn () => RequiresFeature::for('pilot')->company($company),
            'a tenant' => fn () => $this->found(['spatie']),
            'a user' => fn () => $this->found(['user:company_id'], $user),
            'a fake' => static function () use ($company): void {
                Flagstone::fake(['pilot' => [15 => false]]);
                Flagstone::for($company)->enabled('pilot');
            },
        ];
        foreach ($ways as $way => $ask) {
            try {
                $ask();
                $this->fail("$way takes $type for a company");
            } catch (InvalidArgumentException $refused) {
                $this->assertStringContainsString(
                    "A company is an int, a string, null, a backed enum, a model or a value object such as a UUID, $type given; pass ",
                    $refused->getMessage(),
                    $way,
                );
            }
        }
    }

    public function test_a_company_is_an_id_an_enum_a_model_or_a_value(): void
    {
        $value = new class () {
            public function __toString(): string
            {
                return 'acme';
            }
        };
        foreach (['acme', Support\Plan::Pro, Str::of('acme'), $value] as $company) {
            $expected = $company instanceof \BackedEnum ? $company->value : 'acme';
            $this->assertSame($expected, (new Subject($company))->company);
        }
        $this->assertSame(15, (new Subject((new Support\Company())->forceFill(['id' => 15])))->company);
        $this->assertNull((new Subject(null))->company);
    }

    public function test_acting_for_a_company_nests_and_ends_whatever_happens(): void
    {
        $this->actingAs($this->user(16));
        $company = fn () => Flagstone::subject()->company;

        $seen = Flagstone::actingFor(15, fn () => [
            $company(),
            Flagstone::actingFor('acme', fn () => [$company(), Flagstone::enabled('pilot')]),
            Flagstone::actingFor(null, $company),
            $company(),
        ]);
        $this->assertSame([15, ['acme', true], null, 15], $seen);

        try {
            Flagstone::actingFor(15, fn () => throw new \DomainException('inside'));
        } catch (\DomainException) {
        }
        $this->assertNotSame(15, $company());
    }

    /** It was asked as the company before until the request ended. */
    public function test_a_company_that_changes_in_a_request_is_another_from_then_on(): void
    {
        Route::get('/switch', function (Request $request): array {
            $before = Flagstone::subject()->company;
            $request->user()->company_id = 15;

            return [$before, Flagstone::subject()->company, Flagstone::enabled('pilot')];
        });

        $this->actingAs($this->user(16))->get('/switch')->assertExactJson([16, 15, true]);
    }

    public function test_what_a_class_of_the_application_finds_is_found_anew_on_wish(): void
    {
        $this->useSubject(Support\AlwaysLatest::class);
        Route::get('/switch', function (): array {
            Support\AlwaysLatest::$company = 16;
            $before = Flagstone::subject()->company;
            Support\AlwaysLatest::$company = 15;
            $kept = Flagstone::subject()->company;
            Flagstone::forgetSubject();

            return [$before, $kept, Flagstone::subject()->company];
        });

        $this->get('/switch')->assertExactJson([16, 16, 15]);
        Support\AlwaysLatest::$company = null;
    }

    /** @param list<string> $presets */
    private function found(array $presets, ?Support\User $user = null, array $server = []): Subject
    {
        $request = Request::create('/', 'GET', [], [], [], $server);
        $request->setUserResolver(fn () => $user);

        return (new Subjects((new Presets($this->app))->make($presets)))->of($request);
    }

    private function useSubject(string $preset): void
    {
        $this->app->make('config')->set('flagstone.subject', $preset);
        foreach ([Subjects::class, \Flagstone\Laravel\Flagstone::class] as $class) {
            $this->app->forgetInstance($class);
        }
        Flagstone::clearResolvedInstances();
    }

    public function test_the_gate_asks_for_a_guest_where_it_is_told_to(): void
    {
        // It asked for whoever is signed in.
        $this->publish(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]], 'all' => true]);
        self::assertFalse(Gate::forUser(null)->allows('feature', 'portal'));
        $this->actingAs($this->user(15));
        self::assertTrue(Gate::allows('feature', 'portal'));
        self::assertSame([false, true], [Gate::forUser(null)->allows('feature', 'portal'), Gate::forUser(null)->allows('feature', 'all')]);
        self::assertTrue(Gate::allows('feature', 'portal'));
        self::assertTrue(Gate::forUser(null)->allows('feature', ['portal', 15]), 'the company is named');
    }
}
