<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Changes\ResultCache;
use Flagstone\Laravel\Http\HealthController;
use Flagstone\Laravel\Http\MetricsController;
use Flagstone\Laravel\Integrations\About;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Authenticate;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Foundation\Application;
use Illuminate\Log\Events\MessageLogged;
use Illuminate\Support\Facades\Route;

/**
 * Routes that tell monitoring how flags are answered, where the configuration asks for them.
 */
final class MonitoringTest extends TestCase
{
    use Artisan;

    private const TOKEN = 'monitoring-7d1c';

    private string $store;

    /** @var array<string, mixed> */
    private array $routes = ['health' => 'flagstone/health', 'metrics' => 'flagstone/metrics', 'token' => self::TOKEN];

    protected function configure(Application $app): void
    {
        \array_map(unlink(...), \glob($app->storagePath() . '/framework/cache/flagstone-*') ?: []);
        $app->make('config')->set('flagstone.routes', $this->routes);
        $this->store = $this->ownStore($app, ['portal' => ['enabled' => true, 'rollout' => ['percentage' => 10]]]);
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->withHeader('Authorization', 'Bearer ' . self::TOKEN);
    }

    /** @return list<string> actions of this package's own routes */
    private function ownRoutes(): array
    {
        $actions = \array_map(static fn ($route): string => $route->getActionName(), Route::getRoutes()->getRoutes());

        return \array_values(\array_intersect($actions, [HealthController::class, MetricsController::class]));
    }

    /** Puts a command in the place of `flagstone` that notes each start. */
    private function command(string $script): string
    {
        $command = Store::unused('command');
        \file_put_contents($command, "#!/bin/sh\necho started >> $command.log\n$script\n");
        \chmod($command, 0755);
        $this->app->make('config')->set('flagstone.binary', $command);
        (new \Flagstone\Laravel\Changes\ChangeServices())->register($this->app);

        return "$command.log";
    }

    /** Makes what was kept so many seconds older. */
    private function age(float $seconds): void
    {
        foreach (\glob($this->app->storagePath() . '/framework/cache/flagstone-*.json') ?: [] as $file) {
            $kept = \json_decode((string) \file_get_contents($file), true);
            \file_put_contents($file, \json_encode(['at' => $kept['at'] - $seconds] + $kept, \JSON_PRESERVE_ZERO_FRACTION));
        }
    }

    public function test_without_a_path_there_is_no_route(): void
    {
        $this->routes = ['health' => null, 'metrics' => '', 'token' => self::TOKEN];
        $this->refreshApplication();
        self::assertSame([], $this->ownRoutes());
        $this->get('/flagstone/health')->assertNotFound();
    }

    /** They were open to everybody as soon as a path was set. */
    public function test_without_a_token_and_without_middleware_there_is_no_route(): void
    {
        foreach ([['middleware' => []], ['middleware' => '', 'token' => ''], ['token' => null]] as $routes) {
            $this->routes = ['health' => 'flagstone/health', 'metrics' => 'flagstone/metrics'] + $routes;
            $this->refreshApplication();
            self::assertSame([], $this->ownRoutes());
            $this->getJson('/flagstone/health')->assertNotFound();
            $this->getJson('/flagstone/metrics')->assertNotFound();
            $rows = $this->app->make(About::class)->rows();
            self::assertStringContainsString('flagstone/health, flagstone/metrics: not served', $rows['Routes'] ?? '');
        }
        $this->routes = ['health' => 'flagstone/health', 'token' => self::TOKEN];
        $this->refreshApplication();
        self::assertArrayNotHasKey('Routes', $this->app->make(About::class)->rows());
    }

    public function test_only_the_token_lets_in(): void
    {
        foreach (['', 'Bearer ', 'Bearer wrong', 'Basic ' . self::TOKEN, 'Bearer ' . self::TOKEN . 'x'] as $header) {
            $this->withHeader('Authorization', $header);
            foreach (['health', 'metrics'] as $name) {
                $this->getJson("/flagstone/$name")->assertStatus(401)->assertHeader('WWW-Authenticate', 'Bearer');
            }
            self::assertSame([], \glob($this->app->storagePath() . '/framework/cache/flagstone-*'), 'no command was run');
        }
        $this->withHeader('Authorization', 'Bearer ' . self::TOKEN);
        $this->getJson('/flagstone/health')->assertOk();
    }

    /** Each hit started a process, which reads up to 51 MiB of counters. */
    public function test_many_hits_run_the_command_once(): void
    {
        $log = $this->command('echo \'{"flagstone": {"workers": 3, "workers_behind": 0}}\'');
        for ($hit = 0; $hit < 5; ++$hit) {
            $this->getJson('/flagstone/health')->assertOk()->assertJsonPath('flagstone.workers', 3);
            $this->get('/flagstone/metrics')->assertOk();
        }
        self::assertCount(2, \file($log), 'once for each route');
        $this->age(6);
        $this->get('/flagstone/metrics')->assertOk();
        self::assertCount(3, \file($log), 'after five seconds anew');
    }

    public function test_what_is_kept_has_its_time_whatever_serialize_precision_says(): void
    {
        // With 0 it was of the year 2033, and each hit ran the command.
        $this->command('echo {}');
        $before = (string) \ini_set('serialize_precision', '0');
        try {
            $this->get('/flagstone/metrics')->assertOk();
        } finally {
            \ini_set('serialize_precision', $before);
        }
        [$file] = \glob($this->app->storagePath() . '/framework/cache/flagstone-*.json') ?: [];
        $at = \json_decode((string) \file_get_contents($file), true)['at'];
        self::assertEqualsWithDelta(\time(), (float) $at, 3600.0);
    }

    public function test_a_failure_is_kept_like_an_answer(): void
    {
        $log = $this->command('echo "flagstone: /srv/secret/store: broken" >&2; exit 2');
        for ($hit = 0; $hit < 5; ++$hit) {
            $this->get('/flagstone/metrics')->assertStatus(503)->assertDontSee('secret')->assertSee('feature:stats');
            $this->getJson('/flagstone/health')->assertOk()->assertJsonPath('flagstone.workers', null);
        }
        self::assertCount(2, \file($log));
    }

    public function test_a_command_that_hangs_is_killed(): void
    {
        $log = $this->command('exec sleep 60');
        $began = \microtime(true);
        $result = $this->app->make(Binary::class)->run(['metrics'], null, 0.2);
        self::assertSame(Result::UNKNOWN, $result->code);
        self::assertStringContainsString('gave no answer within 0.2 s', $result->error);
        self::assertLessThan(30.0, \microtime(true) - $began);
        self::assertCount(1, \file($log));

        $this->command('echo a; sleep 0.3; echo b; head -c 300000 /dev/zero; echo c >&2; exit 1');
        $result = $this->app->make(Binary::class)->run([], null, 60.0);
        self::assertSame([1, 300_004, 'c'], [$result->code, \strlen($result->text), $result->error]);
    }

    public function test_while_one_request_runs_the_command_others_get_what_was_kept(): void
    {
        $cache = $this->app->make(ResultCache::class);
        $inner = null;
        $lock = $this->app->storagePath() . '/framework/cache/flagstone-one.json.lock';
        // As an earlier version made it.
        \touch($lock);
        \chmod($lock, 0644);
        $outer = $cache->get('one', function () use ($cache, &$inner): Result {
            $inner = $cache->get('one', static fn (): Result => self::fail('two at a time'));

            return new Result(Result::DONE, 'first');
        });
        self::assertSame([Result::DONE, 'first', Result::UNKNOWN], [$outer->code, $outer->text, $inner?->code]);

        $this->age(6);
        $outer = $cache->get('one', function () use ($cache, &$inner): Result {
            $inner = $cache->get('one', static fn (): Result => self::fail('two at a time'));

            return new Result(Result::DONE, 'second');
        });
        self::assertSame(['second', 'first'], [$outer->text, $inner?->text]);
        self::assertSame('second', $cache->get('one', static fn (): Result => self::fail('kept'))->text);
        $file = $this->app->storagePath() . '/framework/cache/flagstone-one.json';
        self::assertSame(0600, \fileperms($file) & 0777);
        \clearstatcache();
        self::assertSame(0660, \fileperms($lock) & 0777);
    }

    public function test_without_a_folder_to_keep_results_in_no_command_is_run(): void
    {
        $cache = new ResultCache('/nonexistent/cache');
        $result = $cache->get('one', static fn (): Result => self::fail('run'));
        self::assertSame(Result::UNKNOWN, $result->code);
        self::assertStringContainsString("let the web server's user write /nonexistent/cache", $result->error);
    }

    public function test_no_answer_names_a_path(): void
    {
        $driver = $this->app->make('flagstone')->driver();
        $trouble = ['source' => 'last_good', 'last_error' => "$this->store/head: broken", 'warning' => "$this->store is shared"];
        $this->app->make('flagstone')->setDriver(new Support\SaysStatus($driver, $trouble));
        $answer = $this->getJson('/flagstone/health')->assertOk()->assertJsonPath('status', 'degraded');
        self::assertIsString($answer->json('flagstone.last_error'));
        self::assertIsString($answer->json('flagstone.warning'));
        foreach ([$this->store, Store::directory(), '/head'] as $path) {
            self::assertStringNotContainsString($path, \stripslashes((string) $answer->getContent()));
        }

        $this->command("cat <<'TEXT'\nflagstone_last_error_info{error=\"$this->store/head: \\\"}\\\" broken\"} 1\n# EOF\nTEXT");
        $text = (string) $this->get('/flagstone/metrics')->assertOk()->getContent();
        self::assertSame("flagstone_last_error_info{error=\"see the log\"} 1\n# EOF\n", $text);
    }

    public function test_health_says_what_answers_and_whether_database_and_cache_do(): void
    {
        $this->get('/flagstone/health')->assertOk()->assertHeader('Cache-Control', 'no-store, private')->assertJson([
            'status' => 'ok', 'environment' => 'testing', 'database' => 'ok', 'cache' => 'ok', 'version' => '0.1.0',
            'flagstone' => ['generation' => 1, 'source_state' => 'current', 'last_error' => null, 'workers_behind' => 0],
        ]);
        self::assertIsFloat($this->getJson('/flagstone/health')->json('flagstone.age'));
    }

    public function test_what_the_command_takes_for_degraded_is_degraded_here(): void
    {
        // A dead guard, a head on which kill would stop nothing, workers that cannot read the store, or a full disk, were "Healthy".
        $problems = ['guard' => ['problem' => 'the guard died at 08:00'], 'emergency_error' => 'head is immutable', 'conflicts_overdue' => 2, 'shut_out' => ['user www-data cannot read head'], 'copies_read' => ['1 worker of user www-data opened a copy'], 'full' => true, 'kills_left' => 0];
        foreach ([['guard' => ['problem' => null], 'emergency_error' => null, 'conflicts_overdue' => 0, 'shut_out' => [], 'copies_read' => [], 'full' => false, 'kills_left' => 1], ...\array_map(static fn (string $of): array => [$of => $problems[$of]], \array_keys($problems))] as $number => $counted) {
            $this->command("echo '" . \json_encode(['status' => $number === 0 ? 'ok' : 'degraded', 'flagstone' => $counted]) . "'");
            \array_map(unlink(...), \glob($this->app->storagePath() . '/framework/cache/flagstone-*') ?: []);
            $code = $this->artisanCode('feature:health');
            self::assertSame($number === 0 ? 0 : 1, $code, $this->printed);
            self::assertStringStartsWith($number === 0 ? 'Healthy: ' : 'Degraded: ', $this->printed);
            $text = ['', 'the guard died at 08:00', 'kill and stop-all would stop nothing: head is immutable', 'open for more than a day: 2', 'user www-data cannot read head', 'opened a copy', 'the file system of the store is full', 'all places for kills are taken'][$number];
            self::assertStringContainsString($text, $this->printed);
            $answer = $this->getJson('/flagstone/health')->assertOk()->assertJsonPath('status', $number === 0 ? 'ok' : 'degraded')->assertJsonPath('flagstone.problems', $number === 0 ? 0 : 1);
            self::assertStringNotContainsString('immutable', (string) $answer->getContent());
        }
    }

    public function test_health_is_degraded_where_the_command_has_no_answer(): void
    {
        // It was "ok", and the log had nothing, while the metrics route answered 503.
        $log = '';
        $this->app->make('events')->listen(MessageLogged::class, function (MessageLogged $message) use (&$log): void {
            $log .= "$message->message\n";
        });
        foreach (['echo "flagstone: the store is broken" >&2; exit 2' => 'the store is broken', 'echo "[]"' => 'printed nothing that can be read'] as $script => $reason) {
            $this->command($script);
            \array_map(unlink(...), \glob($this->app->storagePath() . '/framework/cache/flagstone-*') ?: []);
            $this->getJson('/flagstone/health')->assertOk()->assertJsonPath('status', 'degraded')->assertJsonPath('flagstone.problems', 1);
            self::assertSame(1, $this->artisanCode('feature:health'), $this->printed);
            self::assertStringContainsString("whether kill and stop-all would stop anything: ", $this->printed);
            self::assertStringContainsString($reason, $this->printed);
            self::assertStringContainsString($reason, $log);
        }
        $this->command('echo \'{"flagstone": {"workers": 3, "workers_behind": 0}}\'');
        $this->app->instance(ResultCache::class, new ResultCache('/nonexistent/cache'));
        $this->getJson('/flagstone/health')->assertOk()->assertJsonPath('status', 'degraded')->assertDontSee('nonexistent');
        self::assertStringContainsString("let the web server's user write /nonexistent/cache", $log);
    }

    public function test_a_store_that_is_mounted_to_be_read_is_well(): void
    {
        $this->command("echo '" . \json_encode(['status' => 'degraded', 'flagstone' => ['read_only' => true, 'emergency_error' => 'the file system is read-only']]) . "'");
        self::assertSame(0, $this->artisanCode('feature:health'), $this->printed);
    }

    public function test_stale_definitions_degrade_health_and_do_not_fail_it(): void
    {
        $this->get('/flagstone/health')->assertOk();
        (new Binary((string) \getenv('FLAGSTONE_BIN')))->run(['rollout', "--store=$this->store", '--yes', 'portal', '20']);
        foreach (\glob("$this->store/snapshots/*2-*.snapshot") ?: [] as $file) {
            \unlink($file);
        }
        $this->age(6);
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
        // The command said "Healthy" and nothing else.
        self::assertSame(0, $this->artisanCode('feature:health'));
        self::assertStringContainsString('the database does not answer, so that the health route says "failing"', $this->printed);

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
        (new \Flagstone\Laravel\Changes\ChangeServices())->register($this->app);
        $this->age(6);
        $this->get('/flagstone/metrics')->assertStatus(503)->assertDontSee('make install')->assertDontSee('nonexistent');
    }

    public function test_middleware_keeps_others_out(): void
    {
        $this->routes = ['token' => null, 'middleware' => [Authenticate::class]] + $this->routes;
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
