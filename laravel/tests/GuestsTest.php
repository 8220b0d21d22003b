<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Routing\Middleware\SubstituteBindings;
use Illuminate\Routing\Router;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Route;

/**
 * Who is let through to a login, and in which order a route's middleware run.
 */
final class GuestsTest extends TestCase
{
    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'everyone' => true,
            'nobody' => false,
            'killed' => true,
        ]);
    }

    public function test_a_flag_possible_for_nobody_is_404_before_any_login(): void
    {
        Route::get('/nobody', fn () => 'page')->middleware(['web', 'auth', 'feature:nobody']);
        Route::get('/both', fn () => 'page')->middleware(['web', 'auth', 'feature:pilot,nobody']);
        Route::get('/either', fn () => 'page')->middleware(['web', 'auth', 'feature:pilot|nobody']);

        $this->get('/nobody')->assertNotFound();
        $this->get('/both')->assertNotFound();
        $this->get('/either')->assertRedirect('/login');
    }

    public function test_a_killed_flag_is_404_before_any_login(): void
    {
        Route::get('/killed', fn () => 'page')->middleware(['web', 'auth', 'feature:killed']);
        $this->get('/killed')->assertRedirect('/login');

        $this->flagstoneCommand('kill', 'killed', '--reason', 'test');
        $this->get('/killed')->assertNotFound();
        $this->flagstoneCommand('revive', 'killed');
    }

    public function test_a_flag_possible_for_somebody_lets_a_guest_go_to_the_login_and_decides_after_it(): void
    {
        Route::get('/pilot', fn () => 'page')->middleware(['web', 'feature:pilot', 'auth']);

        $this->get('/pilot')->assertRedirect('/login');
        $this->getJson('/pilot')->assertUnauthorized();
        $this->actingAs($this->user(16))->get('/pilot')->assertNotFound();
        $this->actingAs($this->user(15))->get('/pilot')->assertOk();
    }

    public function test_on_a_route_that_never_authenticates_no_company_means_404(): void
    {
        Route::get('/pilot', fn () => 'page')->middleware('feature:pilot');
        Route::get('/everyone', fn () => 'page')->middleware('feature:everyone');

        $this->get('/pilot')->assertNotFound();
        $this->get('/everyone')->assertOk();
    }

    public function test_a_group_that_holds_the_middleware_guards_as_well(): void
    {
        $router = $this->app->make(Router::class);
        $router->middlewareGroup('portal', ['web', 'auth', 'feature:nobody']);
        $router->get('/in-group', fn () => 'page')->middleware('portal');

        $this->get('/in-group')->assertNotFound();
    }

    public function test_a_route_that_leaves_the_middleware_out_is_not_guarded(): void
    {
        Route::middleware(['feature:nobody'])->group(function (): void {
            Route::get('/guarded', fn () => 'page');
            Route::get('/free', fn () => 'page')->withoutMiddleware('feature:nobody');
        });

        $this->get('/guarded')->assertNotFound();
        $this->get('/free')->assertOk();
    }

    public function test_tests_that_run_without_middleware_run_without_this_one(): void
    {
        Route::get('/nobody', fn () => 'page')->middleware('feature:nobody');
        $this->withoutMiddleware();

        $this->get('/nobody')->assertOk();
    }

    public function test_the_flag_is_asked_after_the_tenant_is_found_and_before_models_are_bound(): void
    {
        $this->app->make(Kernel::class);
        $order = fn (string ...$names): array => $this->app->make(Router::class)->gatherRouteMiddleware(
            Route::get('/order', fn () => 'page')->middleware($names),
        );

        $this->assertSame(
            [Support\Authenticate::class, Support\FindTenant::class, 'feature', SubstituteBindings::class],
            \array_map(
                fn (string $name): string => \str_starts_with($name, 'Flagstone\Laravel\Http') ? 'feature' : $name,
                $order(SubstituteBindings::class, 'feature:pilot', Support\FindTenant::class, 'auth'),
            ),
        );
    }

    public function test_a_model_is_not_looked_for_behind_a_flag_that_is_off(): void
    {
        $looked = 0;
        Route::bind('invoice', function () use (&$looked): string {
            $looked++;

            return 'invoice';
        });
        Route::get('/pilot/{invoice}', fn (string $invoice) => $invoice)->middleware(['web', 'auth', 'feature:pilot']);

        $this->actingAs($this->user(16))->get('/pilot/1')->assertNotFound();
        $this->assertSame(0, $looked);
        $this->actingAs($this->user(15))->get('/pilot/1')->assertOk();
        $this->assertSame(1, $looked);
    }

    public function test_an_application_that_has_the_alias_keeps_it(): void
    {
        $router = $this->app->make(Router::class);
        $router->aliasMiddleware('feature', Support\PageExpired::class);
        (new \Flagstone\Laravel\Http\RouteMiddleware())->register($this->app);

        $this->assertSame(Support\PageExpired::class, $router->getMiddleware()['feature']);
    }

    public function test_a_route_can_be_guarded_by_name_or_enum(): void
    {
        Route::get('/macro', fn () => 'page')->feature(Support\Feature::Pilot, 'everyone');

        $this->get('/macro')->assertNotFound();
        $this->actingAs($this->user(15))->get('/macro')->assertOk();
    }

    public function test_who_signs_in_during_a_request_is_who_asks_from_then_on(): void
    {
        Route::get('/sign-in', function (): array {
            $before = \app('flagstone')->enabled('pilot');
            Auth::setUser($this->user(15));
            $during = \app('flagstone')->enabled('pilot');
            Auth::setUser($this->user(16));

            return [$before, $during, \app('flagstone')->enabled('pilot')];
        })->middleware('web');

        $this->get('/sign-in')->assertExactJson([false, true, false]);
    }

    protected function flagstone(): array
    {
        return ['middleware' => ['alias' => 'feature', 'after' => [Support\FindTenant::class]]];
    }
}
