<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Subject\TenantListeners;
use Flagstone\Laravel\Tests\Support\ChangesTenant;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\SpatieTenant;
use Illuminate\Foundation\Application;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Bus;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Event;
use PHPUnit\Framework\Attributes\DataProvider;

/**
 * A job whose dispatcher's tenant or user another listener of JobProcessing restores.
 */
final class JobSurroundingsTest extends TestCase
{
    /** What a job for 15 notes: before, while and after it makes tenant 20 current. */
    private const NOTED = [15, 20, 15];

    protected function configure(Application $app): void
    {
        $app->make('config')->set('queue.default', 'database');
        $app->make('config')->set('queue.failed.driver', 'null');
        $app->make('config')->set('flagstone.subject', ['user:company_id', 'spatie']);
        JobsTable::configure($app);
    }

    protected function setUp(): void
    {
        parent::setUp();
        ChangesTenant::$noted = [];
        $this->publish(['portal' => true]);
        JobsTable::create();
        (new TenantListeners())->register($this->app);
    }

    /** @return array<string, array{bool}> */
    public static function orders(): array
    {
        return ['before this package' => [true], 'after it' => [false]];
    }

    /**
     * spatie/laravel-multitenancy makes the queue before it listens: a job of 15 was asked for the tenant that was current.
     *
     * @dataProvider orders
     */
    #[DataProvider('orders')]
    public function test_a_tenant_that_a_listener_restores_is_not_set_inside_the_job(bool $isBefore): void
    {
        $this->restores($isBefore, static fn () => SpatieTenant::makeCurrent(7));
        SpatieTenant::makeCurrent(7);
        foreach ([
            'by actingFor()' => static fn () => Flagstone::actingFor(15, static fn () => ChangesTenant::dispatch()),
            'by a user' => function (): void {
                $this->actingAs($this->user(15));
                ChangesTenant::dispatch();
            },
        ] as $how => $dispatch) {
            ChangesTenant::$noted = [];
            $dispatch();
            Auth::forgetGuards();
            SpatieTenant::makeCurrent(null);
            $this->work();
            self::assertSame(self::NOTED, ChangesTenant::$noted, $how);
        }
    }

    /** @dataProvider orders */
    #[DataProvider('orders')]
    public function test_a_user_whom_a_listener_signs_in_is_not_set_inside_the_job(bool $isBefore): void
    {
        $this->restores($isBefore, fn () => Auth::setUser($this->user(7)));
        Flagstone::actingFor(15, static fn () => ChangesTenant::dispatch());
        $this->work();
        self::assertSame([15, 15, 15], ChangesTenant::$noted);
    }

    /** @dataProvider orders */
    #[DataProvider('orders')]
    public function test_a_sync_job_is_asked_for_whom_it_was_dispatched_by(bool $isBefore): void
    {
        $this->restores($isBefore, static fn () => SpatieTenant::makeCurrent(7));
        SpatieTenant::makeCurrent(7);
        self::assertSame([15, 7], [Flagstone::actingFor(15, static function (): mixed {
            \dispatch_sync(new ChangesTenant());
            ChangesTenant::dispatch()->onConnection('sync');

            return Flagstone::subject()->company;
        }), Flagstone::subject()->company]);
        self::assertSame([...self::NOTED, ...self::NOTED], ChangesTenant::$noted);
    }

    /** @dataProvider orders */
    #[DataProvider('orders')]
    public function test_chained_failed_retried_and_batched_jobs_keep_their_company(bool $isBefore): void
    {
        $this->restores($isBefore, static fn () => SpatieTenant::makeCurrent(7));
        JobsTable::createBatches();
        foreach ([
            'a chain' => [static fn () => ChangesTenant::withChain([new ChangesTenant()])->dispatch(), [...self::NOTED, ...self::NOTED]],
            'a retry that fails' => [static fn () => ChangesTenant::dispatch(true), [...self::NOTED, ...self::NOTED, 15]],
            'a batch' => [static fn () => Bus::batch([new ChangesTenant()])->dispatch(), self::NOTED],
        ] as $what => [$dispatch, $noted]) {
            ChangesTenant::$noted = [];
            SpatieTenant::makeCurrent(7);
            Flagstone::actingFor(15, $dispatch);
            $this->work();
            self::assertSame($noted, ChangesTenant::$noted, $what);
            self::assertSame(0, DB::table('jobs')->count(), $what);
        }
    }

    /** A listener between the two saw the restored tenant. */
    public function test_a_listener_asks_for_the_jobs_company_too(): void
    {
        $this->restores(false, static fn () => SpatieTenant::makeCurrent(7));
        $asked = [];
        Event::listen(JobProcessing::class, static function () use (&$asked): void {
            $asked[] = Flagstone::subject()->company;
        });
        Flagstone::actingFor(15, static fn () => ChangesTenant::dispatch());
        $this->work();
        self::assertSame([15], $asked);
    }

    private function restores(bool $isBefore, \Closure $restore): void
    {
        self::assertFalse($this->app->resolved('queue'));
        if (!$isBefore) {
            $this->app->make('queue');
        }
        Event::listen(JobProcessing::class, static function () use ($restore): void {
            $restore();
        });
    }

    private function work(): void
    {
        Artisan::call('queue:work', ['--stop-when-empty' => true, '--tries' => 2, '--sleep' => 0]);
    }
}
