<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Exceptions\BrokenDefinitions;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Lifecycle\Pin;
use Flagstone\Laravel\Tests\Support\Store;
use Flagstone\Polyfill\Process;
use Illuminate\Support\Facades\Route;

final class FileDriverTest extends TestCase
{
    private const FLAGS = [
        'flags' => [
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'beta' => false,
            'only_in_the_file' => true,
            'theme' => ['enabled' => true, 'variants' => ['compact' => ['weight' => 100, 'value' => ['columns' => 2]]]],
            'plan' => ['rollout' => ['percentage' => 0], 'rules' => [['when' => ['attribute' => 'plan', 'eq' => 'pro']]]],
        ],
        'environments' => ['testing' => ['flags' => ['beta' => true]]],
    ];

    private string $file;

    protected function setUp(): void
    {
        $this->file = Store::unused('file.json');
        $this->write(self::FLAGS);
        @\unlink("$this->file.local");
        parent::setUp();
    }

    protected function tearDown(): void
    {
        Process::useFile(null);
        parent::tearDown();
    }

    protected function flagstone(): array
    {
        return ['driver' => 'file', 'file' => $this->file, 'overlay' => "$this->file.local"];
    }

    public function test_the_applications_environment_is_named_by_the_file_but_local_and_testing(): void
    {
        $this->write(['flags' => ['portal' => false], 'environments' => ['production' => ['flags' => ['portal' => true]]]]);
        $come = function (string $application, ?string $configured): array {
            $this->app->instance('env', $application);
            $driver = (new Drivers($this->app, ['environment' => $configured] + $this->flagstone()))->make('file');
            $driver->use();
            $error = $driver->status()['last_error'];

            return [$driver->status()['flags'], $error === null ? null : \str_contains($error, 'expected one that the document names: production')];
        };
        foreach ([['production', null], ['local', null], ['testing', null], ['local', 'production']] as [$application, $configured]) {
            self::assertSame([1, null], $come($application, $configured), $application);
        }
        foreach ([['prod', null], ['production', 'prod'], ['local', 'local']] as [$application, $configured]) {
            self::assertSame([0, true], $come($application, $configured), $application);
        }
    }

    public function test_every_question_is_answered_from_the_file(): void
    {
        $this->assertSame('file', Flagstone::driver()->name());
        $this->assertTrue(Flagstone::for(15)->enabled('portal'));
        $this->assertTrue(Flagstone::for('15')->enabled('portal'));
        $this->assertFalse(Flagstone::for(16)->enabled('portal'));
        $this->assertTrue(Flagstone::possible('portal'));
        $this->assertSame('compact', Flagstone::for(15)->variant('theme'));
        $this->assertSame(['columns' => 2], Flagstone::for(15)->value('theme'));
        $this->assertSame('allowed', Flagstone::for(15)->explain('portal')['reason']);
        $this->assertSame(['x' => '15'], Flagstone::filter('portal', ['w' => 14, 'x' => '15']));
        $this->assertSame(['plan'], Flagstone::driver()->needs('plan'));
        $this->assertTrue(Flagstone::for(1, ['plan' => 'pro'])->enabled('plan'));
        $this->assertSame(['beta', 'only_in_the_file', 'plan', 'portal', 'theme'], Flagstone::driver()->names());
        $this->assertSame(
            ['beta' => true, 'only_in_the_file' => true, 'plan' => false, 'portal' => true, 'theme' => true],
            Flagstone::for(15)->all(),
        );
        $this->assertSame($this->file, Flagstone::driver()->status()['store']);
    }

    public function test_a_job_of_a_worker_is_answered_from_the_file(): void
    {
        $pin = new Pin($this->app, false);
        $pin->begin('job');
        $this->assertTrue(Flagstone::for(15)->enabled('portal'));
        $pin->end('job');
    }

    public function test_the_applications_environment_is_merged_in_and_then_the_overlay(): void
    {
        $this->assertTrue(Flagstone::enabled('beta'));

        \file_put_contents("$this->file.local", '{"flags": {"beta": false}}');
        Flagstone::driver()->refresh();
        $this->assertTrue(Flagstone::enabled('beta'), 'tests have no overlay');
        // The environment stays the one that config/flagstone.php names.
        $this->app->make('config')->set('flagstone.environment', 'testing');
        $this->app->detectEnvironment(static fn (): string => 'local');
        Flagstone::setDriver((new \Flagstone\Laravel\Drivers\Drivers($this->app, $this->app->make('config')->get('flagstone')))->make());
        $this->assertFalse(Flagstone::enabled('beta'));
    }

    public function test_the_middleware_follows_the_file_from_request_to_request(): void
    {
        Route::get('/portal', fn () => 'portal')->middleware('feature:portal');
        $this->actingAs($this->user(16))->get('/portal')->assertNotFound();

        $this->write(['flags' => ['portal' => true]]);
        Flagstone::driver()->refresh();
        $this->actingAs($this->user(16))->get('/portal')->assertOk();
    }

    public function test_without_the_extension_the_global_functions_answer_from_the_file_too(): void
    {
        // The extension's functions read stores.
        $this->assertSame(!\extension_loaded('flagstone'), \feature_enabled('only_in_the_file'));
    }

    public function test_a_broken_file_keeps_what_was_good_and_the_status_tells(): void
    {
        $this->assertTrue(Flagstone::enabled('beta'));
        \file_put_contents($this->file, '{"flags": {"beta": "yes"}}');
        Flagstone::driver()->refresh();

        $this->assertTrue(Flagstone::enabled('beta'));
        $this->assertSame(
            "$this->file: /flags/beta: found \"yes\", expected a flag: true, false or an object",
            Flagstone::driver()->status()['last_error'],
        );
    }

    public function test_a_file_that_was_never_good_is_an_exception_where_it_is_developed_and_off_elsewhere(): void
    {
        $this->file .= '.none';
        $this->refreshApplication();
        try {
            Flagstone::enabled('beta');
            $this->fail('expected an exception');
        } catch (BrokenDefinitions $problem) {
            $this->assertStringContainsString("cannot read the definitions $this->file: it is not there", $problem->getMessage());
            $this->assertStringContainsString('php artisan feature:install', $problem->getMessage());
        }

        \config(['flagstone.unknown' => 'log']);
        $this->app->forgetInstance(\Flagstone\Laravel\Drivers\Drivers::class);
        Flagstone::setDriver($this->app->make(\Flagstone\Laravel\Drivers\Drivers::class)->make('file'));
        $this->assertFalse(Flagstone::enabled('beta'));
    }

    public function test_a_mistake_is_an_exception_that_names_its_line(): void
    {
        // As `flagstone check` says of the same file, which was never good.
        $this->file .= '.broken';
        \file_put_contents($this->file, <<<'JSON'
            {
              "flags": {
                "deco": { "description": "} ] , \" ü", "enabled": true },
                "a": { "enabled": true,
                  "companies": { "allow": [15, [1]] } },
                "b": { "enable": true },
                "c": { "enabled": true, "requires": ["a", "nope"] }
              }
            }
            JSON);
        $found = [];
        $checked = (new Binary((string) \getenv('FLAGSTONE_BIN')))->run(['check', $this->file]);
        \preg_match_all('/:(\d+:\d+: \/\S*): /', $checked->text . $checked->error, $expected);
        self::assertGreaterThan(2, \count($expected[1]), $checked->text . $checked->error);
        $this->refreshApplication();
        try {
            Flagstone::enabled('beta');
            $this->fail('expected an exception');
        } catch (BrokenDefinitions $problem) {
            \preg_match_all('/:(\d+:\d+: \/\S*): /', $problem->getMessage(), $found);
        }
        // The polyfill's checks may be fewer; what it says is where the command says it.
        self::assertNotSame([], $found[1], $problem->getMessage());
        self::assertSame([], \array_diff($found[1], $expected[1]), $problem->getMessage());
    }

    public function test_a_file_that_is_there_and_may_not_be_read_is_not_asked_to_be_written(): void
    {
        // Root may read every file; nobody reads a folder.
        $this->file .= '.folder';
        @\mkdir($this->file);
        $this->refreshApplication();
        $this->expectException(BrokenDefinitions::class);
        $this->expectExceptionMessage("cannot read the definitions $this->file: it is no file; put a file in its place, or remove it\n");
        Flagstone::enabled('beta');
    }

    public function test_a_typo_is_an_exception_with_the_nearest_name(): void
    {
        $this->expectException(UnknownFlag::class);
        $this->expectExceptionMessage('did you mean "portal"?');
        Flagstone::enabled('protal');
    }

    /** @param array<string, mixed> $document */
    private function write(array $document): void
    {
        \file_put_contents($this->file, \json_encode($document, \JSON_THROW_ON_ERROR));
    }
}
