<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Tests\Support\Company;
use Flagstone\Laravel\Tests\Support\Skeleton;
use Flagstone\Laravel\Tests\Support\Store;
use Flagstone\Laravel\Tests\Support\WritesCompany;
use Illuminate\Concurrency\ConcurrencyManager;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Route;
use PHPUnit\Framework\Attributes\PreserveGlobalState;
use PHPUnit\Framework\Attributes\RunTestsInSeparateProcesses;

/**
 * Tasks in processes of their own ask for the company that started them. Laravel 11 and later have them; elsewhere a double starts the process.
 *
 * @runTestsInSeparateProcesses
 * @preserveGlobalState disabled
 */
#[RunTestsInSeparateProcesses]
#[PreserveGlobalState(false)]
final class ProcessesTest extends TestCase
{
    /** The answers for company 15: it is denied, and its plan is "pro". */
    private const FIFTEEN = [15, false, true];
    private const NOBODY = [null, true, false];

    protected function configure(Application $app): void
    {
        if (!\class_exists('Illuminate\Support\Defer\DeferredCallbackCollection')) {
            require_once __DIR__ . '/doubles/defer.php';
        }
        if (!\class_exists('Illuminate\Concurrency\ConcurrencyManager')) {
            require_once __DIR__ . '/doubles/concurrency.php';
        }
        $app->singleton(ConcurrencyManager::class, static fn (Application $app): ConcurrencyManager => new ConcurrencyManager($app));
        $app->scoped('Illuminate\Support\Defer\DeferredCallbackCollection');
        $app->make('config')->set('queue.connections.background', ['driver' => 'background']);
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'billing' => ['enabled' => true, 'companies' => ['deny' => [15]]],
            'pro' => ['rollout' => ['percentage' => 0], 'rules' => [['name' => 'pro', 'when' => ['attribute' => 'plan', 'eq' => 'pro']]]],
        ]);
        // Not by variables: Symfony passes those of putenv() to no other process.
        $variables = ['folder' => Skeleton::folder(), 'store' => Store::path(), 'script' => __DIR__ . '/Support/artisan.php'];
        \file_put_contents(Skeleton::folder() . '/artisan', '<?php \extract(' . \var_export($variables, true) . '); require $script;');
        $this->app->make('queue')->addConnector('background', static fn (): object => new \Illuminate\Queue\Connectors\BackgroundConnector());
    }

    /** Nobody was asked for there, so that a denied company had the feature. */
    public function test_a_concurrent_task_asks_for_the_company_that_started_it(): void
    {
        $ask = WritesCompany::task();
        self::assertSame([self::NOBODY], $this->concurrency()->run([$ask]));
        $ran = Flagstone::actingFor(15, fn (): array => $this->concurrency()->run(['a' => $ask, 'b' => $ask]), ['plan' => 'pro']);
        self::assertSame(['a' => self::FIFTEEN, 'b' => self::FIFTEEN], $ran);
    }

    public function test_a_deferred_process_belongs_to_the_company_that_deferred_it(): void
    {
        $file = Store::unused('deferred');
        Flagstone::actingFor(15, fn () => $this->concurrency()->defer([WritesCompany::writingTask($file)]), ['plan' => 'pro']);
        self::assertSame(self::FIFTEEN, $this->deferredAnswers($file));
    }

    public function test_a_job_on_the_connection_background_asks_for_the_company_that_dispatched_it(): void
    {
        $file = Store::unused('background');
        Route::post('/dispatch', static function () use ($file): array {
            \dispatch(new WritesCompany($file))->onConnection('background');

            return WritesCompany::answers();
        });
        $user = $this->user(15)->setRelation('company', new Company(['id' => 15, 'plan' => 'pro']));
        $this->actingAs($user)->post('/dispatch')->assertOk()->assertExactJson(self::FIFTEEN);
        self::assertSame(self::FIFTEEN, $this->deferredAnswers($file));
    }

    public function test_a_job_of_nobody_on_the_connection_background_asks_for_nobody(): void
    {
        $file = Store::unused('nobody');
        \dispatch(new WritesCompany($file))->onConnection('background');
        self::assertSame(self::NOBODY, $this->deferredAnswers($file));
    }

    public function test_a_command_that_asks_no_flag_prints_nothing_of_a_store_that_is_not_there(): void
    {
        // Each artisan command of a fresh application printed on standard error that there is no store.
        $variables = ['folder' => Skeleton::folder(), 'store' => Store::unused('absent'), 'script' => __DIR__ . '/Support/artisan.php'];
        \file_put_contents(Skeleton::folder() . '/artisan', '<?php \extract(' . \var_export($variables, true) . '); require $script;');
        \exec(\escapeshellarg(\PHP_BINARY) . ' ' . \escapeshellarg(Skeleton::folder() . '/artisan') . ' list --raw 2>&1 >/dev/null', $errors, $code);
        self::assertSame([0, []], [$code, $errors]);
    }

    private function concurrency(): object
    {
        return $this->app->make(ConcurrencyManager::class)->driver('process');
    }

    /** Runs what waits for the end of the request, and returns what its process writes. */
    private function deferredAnswers(string $file): mixed
    {
        $this->app->make('Illuminate\Support\Defer\DeferredCallbackCollection')->invoke();
        for ($waited = 0; !\is_file($file) && $waited < 200; ++$waited) {
            \usleep(50_000);
        }

        return \json_decode((string) \file_get_contents($file), true);
    }
}
