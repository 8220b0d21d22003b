<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Http\CheckFeatureFlag;
use Flagstone\Laravel\Integrations\About;
use Flagstone\Laravel\Tests\Support\PortalResource;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Http\Events\RequestHandled;
use Illuminate\Http\Exceptions\HttpResponseException;
use Illuminate\Http\Request;
use Illuminate\Log\Events\MessageLogged;
use Illuminate\Pipeline\Pipeline;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\ServiceProvider;
use PHPUnit\Framework\Attributes\PreserveGlobalState;
use PHPUnit\Framework\Attributes\RunTestsInSeparateProcesses;
use RuntimeException;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

/**
 * With doubles of other packages, which stay loaded: in a process of its own.
 *
 * @runTestsInSeparateProcesses
 * @preserveGlobalState disabled
 */
#[RunTestsInSeparateProcesses]
#[PreserveGlobalState(false)]
final class IntegrationsTest extends TestCase
{
    private const PROVIDERS = [
        \Fruitcake\LaravelDebugbar\ServiceProvider::class,
        \Filament\Support\SupportServiceProvider::class,
        \Inertia\ServiceProvider::class,
        \Laravel\Nova\NovaCoreServiceProvider::class,
        \Laravel\Telescope\TelescopeServiceProvider::class,
        \Livewire\LivewireServiceProvider::class,
    ];

    protected function flagstone(): array
    {
        return ['share' => ['portal', 'everyone'], 'unknown' => 'log'];
    }

    protected function configure(Application $app): void
    {
        require_once __DIR__ . '/doubles/packages.php';
        foreach (self::PROVIDERS as $provider) {
            $app->register($provider);
        }
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'everyone' => true,
            'secret' => true,
        ]);
    }

    public function test_livewire_asks_the_middleware_again_at_later_requests(): void
    {
        $this->assertSame([CheckFeatureFlag::class], \Livewire\Livewire::$persistent);
    }

    /**
     * Livewire runs a page's middleware on a copy of a component's later request, and goes on whatever they return but a redirect: the
     * component of a page that was off by then ran.
     */
    public function test_livewires_later_requests_are_ended_where_the_flag_is_off(): void
    {
        $applies = function (int $company): mixed {
            $update = Request::create('/livewire/update', 'POST');
            $this->app->instance('request', $update);
            $update->setUserResolver(fn () => $this->user($company));
            Auth::setUser($this->user($company));
            $page = $update->duplicate();
            $route = Route::getRoutes()->match(Request::create('/page'));
            $page->setRouteResolver(static fn () => $route);

            return (new Pipeline($this->app))->send($page)->through([CheckFeatureFlag::using('portal')])->then(static fn () => 'ran');
        };
        Route::get('/page', static fn (): string => 'page')->middleware('feature:portal');
        foreach ([fn () => null, fn () => Route::fallback(static fn (): string => 'home')] as $prepare) {
            $prepare();
            self::assertSame('ran', $applies(15));
            try {
                self::fail(\get_debug_type($applies(16)) . ' was returned, and the component runs');
            } catch (NotFoundHttpException) {
            }
        }
        CheckFeatureFlag::whenInactive(static fn () => 'not yet');
        $this->expectException(HttpResponseException::class);
        $applies(16);
    }

    public function test_inertia_shares_the_flags_that_are_named_and_never_another(): void
    {
        $shared = \Inertia\Inertia::$shared['features'];
        $this->assertEquals((object) ['portal' => false, 'everyone' => true], $shared());

        $this->actingAs($this->user(15));
        $this->assertEquals((object) ['portal' => true, 'everyone' => true], Flagstone::actingFor(15, $shared));
    }

    public function test_inertia_shares_them_at_every_request_of_an_octane_worker(): void
    {
        // Octane's own listener has Inertia forget what was shared.
        \Inertia\Inertia::$shared = [];
        Event::dispatch('Laravel\Octane\Events\RequestReceived', [new \stdClass()]);
        $this->assertEquals((object) ['portal' => false, 'everyone' => true], (\Inertia\Inertia::$shared['features'])());
    }

    public function test_shared_flags_are_safe_in_a_script_and_an_object_where_there_are_none(): void
    {
        $shared = Flagstone::shared();
        $this->assertSame('{"portal":false,"everyone":true}', $shared->toJson());

        \config(['flagstone.share' => ['</script>']]);
        $this->assertSame('{"\u003C\/script\u003E":false}', $shared->toJson());
        \config(['flagstone.share' => []]);
        $this->assertSame(['{}', '{}'], [$shared->toJson(), \json_encode($shared)]);
    }

    public function test_panels_hide_what_a_flag_hides(): void
    {
        $action = (new \Filament\Actions\Action())->feature('portal');
        $field = (new \Laravel\Nova\Fields\Field())->feature('portal');

        foreach ([15 => true, 16 => false] as $company => $on) {
            $seen = Flagstone::actingFor($company, fn (): array => [($action->visible)(), ($field->seen)(), PortalResource::canAccess()]);
            $this->assertSame([$on, $on, $on], $seen);
        }
    }

    public function test_a_panel_that_is_made_while_filament_boots_may_use_the_macro(): void
    {
        // Filament's providers boot before this package's, whose macro came once all were booted.
        \Filament\Actions\Action::flushMacros();
        $actions = [];
        \Filament\Support\SupportServiceProvider::$panel = static function () use (&$actions): void {
            $actions[] = (new \Filament\Actions\Action())->feature('portal');
        };
        $this->refreshApplication();

        $seen = fn (int $company): mixed => Flagstone::actingFor($company, fn (): mixed => ($actions[0]->visible)());
        self::assertSame([true, false], [$seen(15), $seen(16)]);
    }

    public function test_the_debug_bar_and_telescope_show_what_a_request_asked_for(): void
    {
        Route::get('/page', function (): string {
            Flagstone::enabled('everyone');
            Flagstone::for(15)->enabled('portal');
            Flagstone::for(16)->enabled('portal');

            return \implode(' ', (\Laravel\Telescope\Telescope::$tag)((object) ['type' => 'request']));
        })->middleware('feature:everyone');

        $this->get('/page')->assertOk()->assertSee('flag:everyone:on flag:portal:mixed');
        $this->assertSame(
            ['everyone for no company: on', 'everyone for no company: on', 'portal for company 15: on', 'portal for company 16: off'],
            $this->app->make('debugbar')->collectors['flagstone']->messages,
        );
        $this->assertSame([], (\Laravel\Telescope\Telescope::$tag)((object) ['type' => 'query']));
    }

    public function test_telescope_finds_the_flag_that_ended_a_request(): void
    {
        // One that is on for nobody ends it before its route is run, and once left no trace.
        $this->publish(['nobody' => false, 'everyone' => true]);
        Route::get('/page', static fn (): string => 'page')->middleware('feature:everyone,nobody');

        $tags = null;
        $this->app->make('events')->listen(RequestHandled::class, function () use (&$tags): void {
            $tags = (\Laravel\Telescope\Telescope::$tag)((object) ['type' => 'request']);
        });
        $this->get('/page')->assertNotFound();
        $this->assertSame(['flag:nobody:off'], $tags);
    }

    public function test_about_tells_what_answers(): void
    {
        $rows = $this->app->make(About::class)->rows();
        $this->assertSame(['Version', 'Driver', 'Store', 'Environment', 'Generation', 'Flags'], \array_keys($rows));
        $this->assertSame(['testing', '3'], [$rows['Environment'], $rows['Flags']]);
        $this->assertMatchesRegularExpression('/^\d+ \(current\)$/', $rows['Generation']);

        $this->flagstoneCommand('kill', 'portal', '--reason', 'test');
        $this->flagstoneCommand('stop-all', '--yes', '--reason', 'test');
        $rows = $this->app->make(About::class)->rows();
        $this->assertSame(['portal', 'everything, until feature:resume-all'], [$rows['Killed'], $rows['Stopped']]);
        if (\class_exists('Illuminate\Foundation\Console\AboutCommand')) {
            Artisan::call('about', ['--only' => 'flagstone']);
            $this->assertStringContainsString('everything, until feature:resume-all', Artisan::output());
        }
    }

    public function test_optimize_tells_whether_flags_can_be_answered(): void
    {
        // Laravel 11 and later have packages take part in it.
        $commands = \property_exists(ServiceProvider::class, 'optimizeCommands')
            ? ServiceProvider::$optimizeCommands
            : ['flagstone' => 'feature:health'];
        $this->assertSame('feature:health', $commands['flagstone'] ?? null);
        $this->assertSame(0, Artisan::call('feature:health'));
    }

    public function test_the_health_route_is_unhealthy_only_where_nothing_can_be_answered(): void
    {
        $logged = [];
        Event::listen(MessageLogged::class, function (MessageLogged $event) use (&$logged): void {
            $logged[] = $event->message;
        });
        $diagnose = fn () => Event::dispatch('Illuminate\Foundation\Events\DiagnosingHealth', [new \stdClass()]);
        $diagnose();
        $this->assertSame([], $logged);

        $driver = Flagstone::driver();
        Flagstone::setDriver(new Support\SaysStatus($driver, ['source' => 'last_good', 'last_error' => 'it is damaged']));
        $diagnose();
        $diagnose();
        $this->assertSame(['Flags are answered from older definitions than are published: it is damaged'], $logged);

        Flagstone::setDriver(new Support\SaysStatus($driver, ['source' => 'none', 'last_error' => 'no store']));
        $message = null;
        try {
            $diagnose();
        } catch (RuntimeException $problem) {
            $message = $problem->getMessage();
        }
        $this->assertSame('Every flag is off, for there are no definitions to answer from', $message, 'the route may be open to everybody');
        $this->assertSame('Every flag is off, for there are no definitions to answer from: no store (php artisan feature:doctor)', $logged[1] ?? null);
    }
}
