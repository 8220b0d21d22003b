<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\NotesCompany;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Route;

/**
 * Who is asking travels with a queued job, and stays with it.
 */
final class JobsTest extends TestCase
{
    protected function configure(Application $app): void
    {
        $config = $app->make('config');
        $config->set('queue.default', 'database');
        JobsTable::configure($app);
    }

    protected function setUp(): void
    {
        parent::setUp();
        NotesCompany::$noted = [];
        $this->publish(['portal' => true]);
        JobsTable::create();
    }

    public function test_a_job_runs_for_the_company_whose_request_dispatched_it(): void
    {
        Route::post('/dispatch', function (): string {
            \dispatch(new NotesCompany());

            return 'done';
        });
        foreach ([15, 'acme'] as $company) {
            $this->actingAs($this->user($company))->post('/dispatch');
        }
        $this->app->make('auth')->forgetGuards();
        $this->work();

        $this->assertSame([[15, []], ['acme', []]], NotesCompany::$noted);
    }

    public function test_a_job_that_nobody_dispatched_for_a_company_runs_for_none_after_one_that_threw(): void
    {
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany(throws: true)));
        $this->push(new NotesCompany());
        $this->work();

        $this->assertSame([[15, []], [null, []]], NotesCompany::$noted);
    }

    public function test_a_job_inside_a_job_gives_back_the_outer_jobs_company(): void
    {
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany(new NotesCompany())));
        $this->work();

        $this->assertSame([[15, []], ['inside', []], [15, []]], NotesCompany::$noted);
    }

    public function test_a_sync_job_that_throws_leaves_the_request_its_company(): void
    {
        Flagstone::actingFor(15, function (): void {
            try {
                \dispatch_sync((new NotesCompany(throws: true))->onConnection('sync'));
                $this->fail('the job throws');
            } catch (\RuntimeException) {
            }
            $this->assertSame(15, Flagstone::subject()->company);
        });
        $this->assertNull(Flagstone::subject()->company);
    }

    public function test_whom_an_encrypted_job_is_for_is_encrypted_too(): void
    {
        Flagstone::actingFor('acme-secret', fn () => $this->push(new Support\NotesSecretly()));
        $payload = (string) DB::table('jobs')->value('payload');
        $this->assertArrayHasKey('flagstone', \json_decode($payload, true));
        $this->assertStringNotContainsString('acme', $payload);

        $this->work();
        $this->assertSame(['acme-secret'], Support\NotesSecretly::$noted);
    }

    public function test_attributes_travel_that_some_flag_reads_and_no_others(): void
    {
        $context = ['plan' => 'pro', 'secret' => 'x', 'tags' => ['a']];
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany()), $context);
        $this->publish(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [
            ['name' => 'plan', 'when' => ['any' => [
                ['attribute' => 'plan', 'in' => ['pro']], ['attribute' => 'tags', 'exists' => true],
            ]]],
        ]]]);
        Flagstone::actingFor(15, fn () => $this->push(new NotesCompany()), $context);
        $this->assertStringNotContainsString('secret', DB::table('jobs')->get()->toJson());
        $this->work();

        $this->assertSame([[15, []], [15, ['plan' => 'pro']]], NotesCompany::$noted);
    }

    public function test_a_payload_without_a_company_gains_nothing(): void
    {
        $this->push(new NotesCompany());

        $this->assertArrayNotHasKey('flagstone', \json_decode(DB::table('jobs')->value('payload'), true));
    }

    private function push(object $job): void
    {
        $this->app->make('queue')->connection('database')->push($job);
    }

    private function work(): void
    {
        Artisan::call('queue:work', ['--stop-when-empty' => true, '--tries' => 1, '--sleep' => 0]);
    }
}
