<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Closure;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Http\HideFeatures;
use Flagstone\Laravel\Http\RecheckFeatureFlag;
use Flagstone\Laravel\Tests\Support\ApiKey;
use Illuminate\Foundation\Application;
use Illuminate\Routing\Middleware\SubstituteBindings;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Log;
use Illuminate\Support\Facades\Route;

/**
 * A middleware of the application's own that signs somebody in runs after the flags were asked, where nothing says that it does: they were
 * asked for no company, and a denied company got the page.
 */
final class OwnAuthenticationTest extends TestCase
{
    /** @var list<string> */
    private array $after = [];

    private int $pages = 0;

    protected function configure(Application $app): void
    {
        $app->make('config')->set('flagstone.middleware.after', $this->after);
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->prepare();
    }

    private function prepare(): void
    {
        $this->publish(['portal' => ['enabled' => true, 'companies' => ['deny' => [7]]], 'other' => true]);
        $this->app->make('router')->middlewareGroup('api', ['throttle:1000,1', SubstituteBindings::class]);
        $this->app->make('router')->aliasMiddleware('throttle', \Illuminate\Routing\Middleware\ThrottleRequests::class);
    }

    /** @return array<string, Closure(): \Illuminate\Routing\Route> a route each, which ends in page() */
    private function routes(): array
    {
        $page = function (): string {
            $this->pages++;

            return 'page of ' . Flagstone::subject()->company;
        };
        $this->app->make('router')->middlewareGroup('keyed', ['api', ApiKey::class]);

        return [
            'a class' => static fn () => Route::get('/a', $page)->middleware(['api', ApiKey::class, 'feature:portal']),
            'a group' => static fn () => Route::get('/b', $page)->middleware(['keyed', 'feature:portal']),
            'after it' => static fn () => Route::get('/c', $page)->middleware(['feature:portal', ApiKey::class]),
            'two flags' => static fn () => Route::get('/e', $page)->middleware(['feature:other', 'feature:portal', ApiKey::class]),
            'any of several' => static fn () => Route::get('/f', $page)->middleware(['feature:portal|none', ApiKey::class]),
            'a controller' => static fn () => Route::get('/g', Support\KeyedController::class . '@page')->middleware('feature:portal'),
        ];
    }

    public function test_a_company_that_is_found_afterwards_is_asked_for_before_the_page_is_made(): void
    {
        $this->app->make('config')->set('flagstone.unknown', 'log');
        $logged = [];
        Log::listen(static function (object $message) use (&$logged): void {
            $logged[] = $message->message;
        });
        foreach ($this->routes() as $what => $make) {
            $uri = '/' . $make()->uri();
            foreach ([1, 2] as $round) {
                Auth::forgetGuards();
                $this->pages = 0;
                $this->get($uri, ['X-Key' => '7'])->assertNotFound();
                self::assertSame(0, $this->pages, $what);
                Auth::forgetGuards();
                $this->get($uri, ['X-Key' => '15'])->assertOk()->assertSee('page of 15');
            }
        }
        self::assertStringContainsString('middleware.after in config/flagstone.php: ' . ApiKey::class, $logged[0]);
        self::assertStringContainsString('asked for no company, and then a middleware found company 7', $logged[0]);
        self::assertCount(\count($this->routes()), \array_filter($logged, static fn (string $line): bool => \str_contains($line, 'middleware.after')), 'once a route');
    }

    public function test_in_local_and_testing_it_is_an_exception(): void
    {
        foreach ($this->routes() as $what => $make) {
            $uri = '/' . $make()->uri();
            Auth::forgetGuards();
            try {
                $this->withoutExceptionHandling()->get($uri, ['X-Key' => '15']);
                self::fail("$what: nothing is said");
            } catch (InvalidSetting $mistake) {
                self::assertStringContainsString('middleware.after', $mistake->getMessage(), $what);
            }
        }
    }

    public function test_one_that_the_configuration_names_runs_before(): void
    {
        $this->after = [ApiKey::class];
        $this->refreshApplication();
        $this->prepare();
        foreach (['a class', 'a group', 'after it', 'two flags'] as $what) {
            $uri = '/' . ($route = $this->routes()[$what]())->uri();
            Auth::forgetGuards();
            $this->get($uri, ['X-Key' => '7'])->assertNotFound();
            Auth::forgetGuards();
            $this->get($uri, ['X-Key' => '15'])->assertOk();
            self::assertNotContains(RecheckFeatureFlag::class, $route->gatherMiddleware(), $what);
        }
    }

    /** A router takes its time for each middleware. */
    public function test_routes_with_laravels_own_middleware_alone_have_none_more(): void
    {
        $route = Route::get('/plain', static fn (): string => 'page')->middleware(['web', 'api', 'feature:portal', Support\CountsRequests::class]);
        $this->get('/plain')->assertOk();
        self::assertNotContains(RecheckFeatureFlag::class, $route->gatherMiddleware());
        $unguarded = Route::get('/unguarded', static fn (): string => 'page')->middleware(ApiKey::class);
        $this->get('/unguarded', ['X-Key' => '7'])->assertOk();
        self::assertNotContains(RecheckFeatureFlag::class, $unguarded->gatherMiddleware());
    }

    public function test_who_signs_in_on_the_page_itself_is_no_mistake(): void
    {
        Route::post('/login', function (): array {
            Auth::setUser($this->user(7));

            return [Flagstone::subject()->company];
        })->middleware(['feature:portal', Support\AddsHeader::class]);
        $this->post('/login')->assertOk()->assertExactJson([7]);
    }

    public function test_the_refusal_is_hidden_as_the_middlewares_own_is(): void
    {
        $this->app->make('config')->set('flagstone.unknown', 'log');
        $this->app->make(\Illuminate\Contracts\Http\Kernel::class)->pushMiddleware(HideFeatures::class);
        Route::get('/keyed', static fn (): string => 'page')->middleware(['feature:portal', ApiKey::class]);
        $absent = $this->get('/absent', ['X-Key' => '7']);
        $hidden = $this->get('/keyed', ['X-Key' => '7']);
        self::assertSame([$absent->getStatusCode(), $absent->getContent()], [$hidden->getStatusCode(), $hidden->getContent()]);
    }
}
