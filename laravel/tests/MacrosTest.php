<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Models\HasFeatures;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\ConsoleKernel;
use Flagstone\Laravel\Tests\Support\Feature;
use Flagstone\Laravel\Tests\Support\HttpKernel;
use Flagstone\Laravel\Tests\Support\Pages;
use Flagstone\Laravel\Tests\Support\Skeleton;
use Illuminate\Console\Scheduling\Event;
use Illuminate\Console\Scheduling\Schedule;
use Illuminate\Contracts\Http\Kernel as HttpKernelContract;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\Relations\HasMany;
use Illuminate\Foundation\Application;
use Illuminate\Routing\PendingResourceRegistration;
use Illuminate\Support\Facades\Artisan as ArtisanFacade;
use Illuminate\Support\Facades\Route;

/**
 * Macros exist wherever an application calls them, and traits leave a model's own names alone.
 */
final class MacrosTest extends TestCase
{
    use Artisan;

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'everyone' => true,
            'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]], 'variants' => ['wide' => ['weight' => 100]]],
            'nobody' => false,
        ]);
    }

    protected function tearDown(): void
    {
        ConsoleKernel::$schedule = null;
        parent::tearDown();
    }

    public function test_a_kernels_schedule_may_use_the_macros(): void
    {
        // The kernel calls schedule() while the Schedule is made, which was before the macros were there: no task ran at all.
        $ran = [];
        $this->schedule($ran);
        Event::flushMacros();
        $this->refreshApplication();

        self::assertCount(4, $this->app->make(Schedule::class)->events());
        self::assertSame(0, $this->artisanCode('schedule:list'), $this->printed);
        self::assertSame(0, $this->artisanCode('schedule:run'), $this->printed);
        self::assertSame(['plain', 'everyone'], $ran);
    }

    public function test_the_macros_are_there_where_a_web_request_runs_the_schedule(): void
    {
        $ran = [];
        $this->schedule($ran);
        Event::flushMacros();
        $this->app = Skeleton::boot(function (Application $app): void {
            $app->make('config')->set('flagstone', $this->app->make('config')->get('flagstone'));
        }, HttpKernelContract::class);
        self::assertInstanceOf(HttpKernel::class, $this->app->make(HttpKernelContract::class));

        self::assertSame(0, ArtisanFacade::call('schedule:run'));
        self::assertSame(['plain', 'everyone'], $ran);
    }

    /** @param list<string> $ran */
    private function schedule(array &$ran): void
    {
        ConsoleKernel::$schedule = static function (Schedule $schedule) use (&$ran): void {
            $note = static function (string $name) use (&$ran): \Closure {
                return static function () use (&$ran, $name): void {
                    $ran[] = $name;
                };
            };
            $schedule->call($note('plain'));
            $schedule->call($note('everyone'))->feature('everyone')->name('everyone');
            $schedule->call($note('nobody'))->featurePossible('nobody');
            $schedule->call($note('pilot'))->everyMinute()->feature(Feature::Pilot, 16);
        };
    }

    /** @return iterable<string, array{\Closure(): void}> routes /in/page (and resources at /in/pages) that the flag "pilot" guards */
    public static function guarded(): iterable
    {
        $page = static fn () => Route::get('in/page', static fn (): string => 'page');
        yield 'a route' => [static fn () => $page()->feature('pilot')];
        yield 'a group' => [static fn () => Route::feature('pilot')->group($page)];
        yield 'a group of an enum' => [static fn () => Route::feature(Feature::Pilot)->group($page)];
        yield 'a group of two flags' => [static fn () => Route::feature('everyone', 'pilot')->group($page)];
        yield 'after middleware' => [static fn () => Route::middleware('web')->feature('pilot')->group($page)];
        yield 'before middleware' => [static fn () => Route::feature('pilot')->middleware('web')->group($page)];
        yield 'before middleware in an array' => [static fn () => Route::feature('pilot')->middleware(['web'])->group($page)];
        yield 'twice' => [static fn () => Route::feature('pilot')->feature('everyone')->group($page)];
        yield 'after prefix' => [static fn () => Route::prefix('in')->feature('pilot')->group(
            static fn () => Route::get('page', static fn (): string => 'page'),
        )];
        yield 'after name' => [static fn () => Route::name('pages.')->feature('pilot')->group($page)];
        yield 'after as' => [static fn () => Route::as('pages.')->feature('pilot')->group($page)];
        yield 'after domain' => [static fn () => Route::domain('localhost')->feature('pilot')->group($page)];
        yield 'after namespace' => [static fn () => Route::namespace('App')->feature('pilot')->group($page)];
        yield 'after where' => [static fn () => Route::where(['id' => '\d+'])->feature('pilot')->group($page)];
        yield 'after withoutMiddleware' => [static fn () => Route::withoutMiddleware('x')->feature('pilot')->group($page)];
        yield 'after scopeBindings' => [static fn () => Route::scopeBindings()->feature('pilot')->group($page)];
        yield 'after controller' => [static fn () => Route::controller(Pages::class)->feature('pilot')->group(
            static fn () => Route::get('in/page', 'index'),
        )];
        yield 'in a group of its own' => [static fn () => Route::middleware('web')->group(static fn () => Route::feature('pilot')->group($page))];
        yield 'one route of a chain' => [static fn () => Route::middleware('web')->feature('pilot')->get('in/page', static fn (): string => 'page')];
        yield 'several verbs' => [static fn () => Route::feature('pilot')->match(['GET', 'POST'], 'in/page', static fn (): string => 'page')];
        yield 'a resource' => [static fn () => Route::resource('in/page', Pages::class)->feature('pilot')];
        yield 'a resource without a slash' => [static fn () => Route::prefix('in')->group(static fn () => Route::resource('page', Pages::class)->feature('pilot'))];
        yield 'a resource with middleware later' => [static fn () => Route::resource('in/page', Pages::class)->feature('pilot')->middleware('web')];
        yield 'a resource with middleware before' => [static fn () => Route::resource('in/page', Pages::class)->middleware('web')->feature('pilot')];
        yield 'a resource of some methods' => [static fn () => Route::resource('in/page', Pages::class)->feature('pilot')->only('index')];
        yield 'an API resource' => [static fn () => Route::apiResource('in/page', Pages::class)->only(['index'])->feature(Feature::Pilot)];
        yield 'a resource of a chain' => [static fn () => Route::feature('pilot')->resource('in/page', Pages::class)->middleware('web')];
        yield 'an API resource of a chain' => [static fn () => Route::name('in.')->feature('pilot')->apiResource('in/page', Pages::class)];
        yield 'a resource in a group' => [static fn () => Route::feature('pilot')->group(static fn () => Route::resource('in/page', Pages::class))];
        if (\class_exists('Illuminate\Routing\PendingSingletonResourceRegistration')) {
            yield 'a singleton' => [static fn () => Route::singleton('in/page', Pages::class)->feature('pilot')->middleware('web')];
            yield 'a singleton of a chain' => [static fn () => Route::feature('pilot')->singleton('in/page', Pages::class)->middleware('web')];
        }
        if (\method_exists('Illuminate\Routing\RouteRegistrar', 'resources')) {
            yield 'resources of a chain' => [static fn () => Route::feature('pilot')->resources(['in/page' => Pages::class])];
        }
    }

    /**
     * @dataProvider guarded
     * @param \Closure(): mixed $routes
     */
    #[\PHPUnit\Framework\Attributes\DataProvider('guarded')]
    public function test_a_flag_guards_all_routes_of_a_group_or_a_resource(\Closure $routes): void
    {
        $routes();
        \gc_collect_cycles();

        $this->actingAs($this->user(15))->get('/in/page')->assertOk();
        $this->actingAs($this->user(16))->get('/in/page')->assertNotFound();
        foreach ($this->app->make('router')->getRoutes() as $route) {
            if (\str_starts_with($route->uri(), 'in/page')) {
                self::assertStringContainsString('pilot', \implode(' ', $route->gatherMiddleware()), $route->uri());
            }
        }
    }

    public function test_a_chain_without_a_flag_is_laravels_own(): void
    {
        Route::middleware(['web'])->prefix('in')->name('in.')->group(static function (): void {
            Route::get('page', static fn (): string => 'page')->name('page');
        });
        Route::middleware('web')->resource('in/pages', Pages::class);
        self::assertInstanceOf(PendingResourceRegistration::class, Route::resource('in/more', Pages::class));
        $this->app->make('router')->getRoutes()->refreshNameLookups();
        $route = $this->app->make('router')->getRoutes()->getByName('in.page') ?? self::fail('there is no such route');

        self::assertSame(['web'], $route->gatherMiddleware());
        $this->get('/in/page')->assertOk();
        $this->get('/in/pages')->assertOk();
    }

    public function test_the_trait_of_models_leaves_a_relation_and_a_column_features_alone(): void
    {
        $shop = new class(['id' => 15]) extends Model {
            use HasFeatures;

            protected $guarded = [];

            public function features(): HasMany
            {
                return $this->hasMany(static::class);
            }
        };
        self::assertTrue($shop->hasFeature('pilot'));
        self::assertSame('wide', $shop->featureVariant('pilot'));
        self::assertTrue($shop->flagstone()->enabled('pilot'));
        self::assertInstanceOf(HasMany::class, $shop->features());

        $plain = new class(['id' => 16]) extends Model {
            use HasFeatures;

            protected $guarded = [];
        };
        self::assertNull($plain->features);
        self::assertFalse($plain->hasFeature('pilot'));
    }

    public function test_the_trait_of_models_may_stand_beside_pennants(): void
    {
        require_once __DIR__ . '/doubles/Pennant/HasFeatures.php';
        $shop = new class(['id' => 15]) extends Model {
            use HasFeatures;
            use \Laravel\Pennant\Concerns\HasFeatures;

            protected $guarded = [];
        };
        self::assertTrue($shop->hasFeature('pilot'));
        self::assertSame("Pennant's", $shop->features());
    }
}
