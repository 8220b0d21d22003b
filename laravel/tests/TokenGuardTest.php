<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Closure;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Tests\Support\NotesCompany;
use Flagstone\Laravel\Tests\Support\User;
use Illuminate\Foundation\Application;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Gate;
use Illuminate\Support\Facades\Route;
use PHPUnit\Framework\Attributes\DataProvider;

/**
 * Guards that read tokens, such as Sanctum's, dispatch no event when their user is set: the company of the user before was asked for until
 * the request ended.
 */
final class TokenGuardTest extends TestCase
{
    /** Looked up by token. */
    private int $lookedUp = 0;

    protected function configure(Application $app): void
    {
        $app->make('config')->set('auth.guards.api', ['driver' => 'bearer']);
        $app->make('config')->set('auth.guards.other', ['driver' => 'bearer']);
    }

    protected function setUp(): void
    {
        parent::setUp();
        NotesCompany::$noted = [];
        $this->publish(['portal' => ['enabled' => true, 'companies' => ['deny' => [7]]]]);
        Auth::viaRequest('bearer', function (Request $request): ?User {
            $this->lookedUp++;

            return $request->bearerToken() === null ? null : new User(['id' => 100 + (int) $request->bearerToken(), 'company_id' => (int) $request->bearerToken()]);
        });
    }

    /** @return array<string, array{Closure(): mixed}> from the company 5 to the denied 7 */
    public static function changes(): array
    {
        $seven = static fn (): User => new User(['id' => 107, 'company_id' => 7]);

        return [
            'another user is set' => [static fn () => Auth::setUser($seven())],
            'another guard is used' => [static function () use ($seven): void {
                Auth::guard('other')->setUser($seven());
                Auth::shouldUse('other');
            }],
            'another guard is the default' => [static function () use ($seven): void {
                Auth::guard('other')->setUser($seven());
                Auth::setDefaultDriver('other');
            }],
            'the token is exchanged' => [static function (): void {
                Auth::forgetGuards();
                \request()->headers->set('Authorization', 'Bearer 7');
            }],
            'the request has another resolver' => [static fn () => \request()->setUserResolver($seven)],
            'the application has another resolver' => [static fn () => Auth::resolveUsersUsing($seven)],
            'the user changes companies' => [static fn () => Auth::user()->company_id = 7],
        ];
    }

    /**
     * @dataProvider changes
     * @param Closure(): mixed $change
     */
    #[DataProvider('changes')]
    public function test_whoever_is_signed_in_now_is_asked_for(Closure $change): void
    {
        Route::get('/asks', static function () use ($change): array {
            $before = [Flagstone::subject()->company, Flagstone::enabled('portal')];
            $change();

            return [...$before, Flagstone::subject()->company, Flagstone::enabled('portal'), Gate::forUser(\request()->user())->allows('feature', 'portal')];
        })->middleware(['auth:api', 'feature:portal']);
        $this->withoutExceptionHandling()->get('/asks', ['Authorization' => 'Bearer 5'])->assertExactJson([5, true, 7, false, false]);
    }

    public function test_a_resolver_of_the_application_is_asked_again_when_somebody_else_is_signed_in(): void
    {
        $this->useSubject(Support\UsersCompany::class);
        Route::get('/asks', static function (): array {
            $before = Flagstone::subject()->company;
            $asked = Support\UsersCompany::$asked;
            $again = Flagstone::subject()->company;
            $none = Support\UsersCompany::$asked - $asked;
            Auth::setUser(new User(['id' => 107, 'company_id' => 7]));

            return [$before, $again, $none, Flagstone::subject()->company];
        })->middleware('auth:api');
        $this->get('/asks', ['Authorization' => 'Bearer 5'])->assertExactJson([5, 5, 0, 7]);
    }

    public function test_a_resolver_that_goes_by_another_guard_is_asked_again_as_well(): void
    {
        $this->useSubject(Support\OtherGuardsCompany::class);
        Route::get('/asks', static function (): array {
            Auth::guard('other')->setUser(new User(['id' => 105, 'company_id' => 5]));
            $before = Flagstone::subject()->company;
            Auth::guard('other')->setUser(new User(['id' => 107, 'company_id' => 7]));

            return [$before, Flagstone::subject()->company, Flagstone::enabled('portal')];
        });
        $this->get('/asks')->assertExactJson([5, 7, false]);
    }

    /** A rollout by user went by the user before. */
    public function test_the_attributes_of_a_tenant_name_the_user_who_is_signed_in_now(): void
    {
        $this->publish(['staff' => ['rollout' => ['percentage' => 0], 'rules' => [['name' => 'user', 'when' => ['attribute' => 'user', 'in' => [107]]]]]]);
        foreach (['header:X-Company' => '/asks', 'route:company' => '/asks/15'] as $preset => $path) {
            $this->useSubject($preset);
            Route::get('/asks/{company?}', static function (): array {
                $before = Flagstone::enabled('staff');
                Auth::setUser(new User(['id' => 107, 'company_id' => 7]));

                return [Flagstone::subject()->company, $before, Flagstone::enabled('staff')];
            })->middleware('auth:api');
            Auth::forgetGuards();
            $this->get($path, ['X-Company' => '15', 'Authorization' => 'Bearer 5'])->assertExactJson(['15', false, true]);
        }
    }

    /** The tenant is found first, and nothing is where no user is signed in. */
    public function test_a_user_who_precedes_the_source_that_answered_is_asked_for_once_signed_in(): void
    {
        $this->useSubject('user:company_id', 'header:X-Company');
        Route::get('/asks', static function (): array {
            $before = Flagstone::subject()->company;
            Auth::guard('api')->setUser(new User(['id' => 107, 'company_id' => 7]));
            Auth::shouldUse('api');

            return [$before, Flagstone::subject()->company];
        });
        $this->get('/asks', ['X-Company' => '15'])->assertExactJson(['15', 7]);
    }

    public function test_who_was_set_inside_a_closure_is_asked_for_until_it_ends(): void
    {
        Route::get('/asks/{known}', static function (string $known): array {
            $known === 'known' && Auth::user();
            $company = static fn () => Flagstone::subject()->company;
            $inside = Flagstone::actingFor(15, static function () use ($company): array {
                $before = $company();
                Auth::user();
                $lookedUp = $company();
                Auth::setUser(new User(['id' => 107, 'company_id' => 7]));

                return [$before, $lookedUp, $company(), Flagstone::enabled('portal'), Flagstone::actingFor(16, $company), $company()];
            });

            return [...$inside, $company()];
        });
        Auth::shouldUse('api');
        foreach (['known', 'unknown'] as $known) {
            Auth::forgetGuards();
            $this->get("/asks/$known", ['Authorization' => 'Bearer 5'])->assertExactJson([15, 15, 7, false, 16, 7, 7]);
        }
    }

    public function test_a_user_who_is_set_or_looked_up_once_more_sets_nothing(): void
    {
        Auth::shouldUse('api');
        Route::get('/asks', static function (): array {
            Auth::setUser(new User(['id' => 107, 'company_id' => 7]));
            $set = Flagstone::actingFor(15, static function (): mixed {
                Auth::setUser(new User(['id' => 107, 'company_id' => 7]));

                return Flagstone::subject()->company;
            });
            Auth::forgetGuards();
            Auth::user();

            return [$set, Flagstone::actingFor(15, static function (): mixed {
                Auth::forgetGuards();
                Auth::user();

                return Flagstone::subject()->company;
            })];
        });
        $this->get('/asks', ['Authorization' => 'Bearer 5'])->assertExactJson([15, 15]);
    }

    public function test_who_was_set_inside_an_inner_closure_is_not_in_the_outer_one(): void
    {
        Auth::shouldUse('api');
        Route::get('/asks', static fn (): array => Flagstone::actingFor(15, static fn (): array => [
            Flagstone::actingFor(16, static function (): mixed {
                Auth::setUser(new User(['id' => 107, 'company_id' => 7]));

                return Flagstone::subject()->company;
            }),
            Flagstone::subject()->company,
        ]));
        $this->get('/asks', ['Authorization' => 'Bearer 5'])->assertExactJson([7, 15]);
    }

    /** As a middleware that finds the tenant has it. */
    public function test_authentication_inside_a_closure_sets_nothing(): void
    {
        Route::get('/asks', static fn (): array => [Auth::user()->company_id, Flagstone::subject()->company])
            ->middleware([Support\ActsForFifteen::class, 'auth:api']);
        $this->get('/asks', ['Authorization' => 'Bearer 5'])->assertExactJson([5, 15]);
        self::assertGreaterThan(0, $this->lookedUp);
    }

    public function test_who_is_set_in_a_job_is_asked_for_until_it_ends(): void
    {
        Auth::shouldUse('api');
        $ask = Flagstone::actingFor(15, fn (): array => [
            Flagstone::subject()->company,
            Auth::guard('api')->setUser(new User(['id' => 107, 'company_id' => 7])) !== null ? Flagstone::subject()->company : null,
        ]);
        self::assertSame([15, 7], $ask);
    }

    public function test_a_duplicate_of_the_request_finds_its_own(): void
    {
        $this->useSubject('route:company');
        Route::get('/c/{company}', static fn (string $company): array => [$company, Flagstone::subject()->company])->middleware('feature:portal');
        Route::get('/batch/{company}', static function (Request $request): array {
            Flagstone::enabled('portal');
            $seen = [];
            foreach (['/c/5', '/c/7'] as $path) {
                $response = Route::dispatch($request->duplicate(null, null, null, null, null, ['REQUEST_URI' => $path] + $request->server->all()));
                $seen[] = $response->getStatusCode() === 200 ? \json_decode($response->getContent(), true) : $response->getStatusCode();
            }

            return $seen;
        });
        $this->get('/batch/5')->assertOk()->assertExactJson([['5', '5'], 404]);
    }

    private function useSubject(string ...$presets): void
    {
        $this->app->make('config')->set('flagstone.subject', $presets);
        foreach ([\Flagstone\Laravel\Subject\Subjects::class, \Flagstone\Laravel\Flagstone::class, \Flagstone\Laravel\Http\CheckFeatureFlag::class] as $class) {
            $this->app->forgetInstance($class);
        }
        Flagstone::clearResolvedInstances();
    }
}
