<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Http\HealthController;
use Flagstone\Laravel\Http\MetricsController;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Authenticate;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Route;

/**
 * Routes that tell monitoring how flags are answered, where the configuration asks for them.
 */
final class MonitoringTest extends TestCase
{
    use Artisan;

    private string $store;

    /** @var array<string, mixed> */
    private array $routes = ['health' => 'flagstone/health', 'metrics' => 'flagstone/metrics'];

    protected function configure(Application $app): void
    {
        $app->make('config')->set('flagstone.routes', $this->routes);
        $this->store = $this->ownStore($app, ['portal' => ['enabled' => true, 'rollout' => ['percentage' => 10]]]);
    }

    public function test_without_a_path_there_is_no_route(): void
    {
        $this->routes = ['health' => null, 'metrics' => ''];
        $this->refreshApplication();
        self::assertSame([], \array_filter(
            Route::getRoutes()->getRoutes(),
            static fn ($route): bool => \in_array($route->getActionName(), [HealthController::class, MetricsController::class], true),
        ));
        $this->get('/flagstone/health')->assertNotFound();
    }

    public function test_health_says_what_answers_and_whether_database_and_cache_do(): void
    {
        $this->get('/flagstone/health')->assertOk()->assertHeader('Cache-Control', 'no-store, private')->assertJson([
            'status' => 'ok', 'environment' => 'testing', 'database' => 'ok', 'cache' => 'ok', 'version' => '0.1.0',
            'flagstone' => ['generation' => 1, 'source_state' => 'current', 'last_error' => null, 'workers_behind' => 0],
        ]);
        self::assertIsFloat($this->getJson('/flagstone/health')->json('flagstone.age'));
    }

    public function test_stale_definitions_degrade_health_and_do_not_fail_it(): void
    {
        $this->get('/flagstone/health')->assertOk();
        (new Binary((string) \getenv('FLAGSTONE_BIN')))->run(['rollout', "--store=$this->store", '--yes', 'portal', '20']);
        foreach (\glob("$this->store/snapshots/*2-*.snapshot") ?: [] as $file) {
            \unlink($file);
        }
        $this->app->make('flagstone')->driver()->refresh();
        $this->get('/flagstone/health')->assertOk()->assertJsonPath('status', 'degraded');
        self::assertNotNull($this->getJson('/flagstone/health')->json('flagstone.last_error'));
    }

    public function test_no_definitions_fail_it_and_so_do_a_database_and_a_cache_that_are_away(): void
    {
        $this->app->make('config')->set('database.connections.sqlite.database', '/nonexistent/db.sqlite');
        $this->get('/flagstone/health')->assertStatus(503)
            ->assertJson(['status' => 'failing', 'database' => 'failing', 'cache' => 'ok'])
            ->assertDontSee('nonexistent');

        $this->refreshApplication();
        $this->app->make('config')->set('cache.default', 'gone');
        $this->get('/flagstone/health')->assertStatus(503)->assertJson(['status' => 'failing', 'database' => 'ok', 'cache' => 'failing']);

        $this->refreshApplication();
        $this->app->make('flagstone')->setDriver(new Support\SaysStatus($this->app->make('flagstone')->driver(), ['source' => 'none']));
        $this->get('/flagstone/health')->assertStatus(503)->assertJson(['status' => 'failing', 'database' => 'ok']);
    }

    public function test_metrics_are_what_the_command_prints(): void
    {
        $text = $this->get('/flagstone/metrics')->assertOk()
            ->assertHeader('Content-Type', 'application/openmetrics-text; version=1.0.0; charset=utf-8')->getContent();
        self::assertStringContainsString("\nflagstone_generation 1\n", (string) $text);
        self::assertStringEndsWith("# EOF\n", (string) $text);

        $this->app->make('config')->set('flagstone.binary', '/nonexistent/flagstone');
        (new \Flagstone\Laravel\Changes\Registrar())->register($this->app);
        $this->get('/flagstone/metrics')->assertStatus(503)->assertSee('make install');
    }

    public function test_middleware_keeps_others_out(): void
    {
        $this->routes['middleware'] = [Authenticate::class];
        $this->refreshApplication();
        $this->getJson('/flagstone/health')->assertStatus(401);
        $this->getJson('/flagstone/metrics')->assertStatus(401);
        $this->actingAs($this->user(15))->get('/flagstone/health')->assertOk();
    }

    public function test_routes_can_be_cached(): void
    {
        foreach (['health', 'metrics'] as $name) {
            $route = Route::getRoutes()->getByName("flagstone.$name");
            self::assertNotNull($route);
            $route->prepareForSerialization();
        }
        $cache = $this->app->getCachedRoutesPath();
        \file_put_contents($cache, '<?php');
        try {
            $this->refreshApplication();
            self::assertNull(Route::getRoutes()->getByName('flagstone.health'), 'the cache has it');
            self::assertTrue($this->app->bound(Changer::class));
        } finally {
            \unlink($cache);
        }
    }
}
