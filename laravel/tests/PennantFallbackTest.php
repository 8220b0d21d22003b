<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Pennant\ExternalDriver;
use Flagstone\Laravel\Pennant\FlagstoneDriver;
use Flagstone\Laravel\Pennant\ListingDriver;
use Flagstone\Laravel\Pennant\ManagedExternally;
use Flagstone\Laravel\Tests\Support\Firm;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Foundation\Application;
use Illuminate\Log\Events\MessageLogged;
use Illuminate\Support\Facades\Event;
use Laravel\Pennant\Drivers\Decorator;
use Laravel\Pennant\Drivers\StoringDriver;
use Laravel\Pennant\FeatureManager;
use PHPUnit\Framework\Attributes\PreserveGlobalState;
use PHPUnit\Framework\Attributes\RunTestsInSeparateProcesses;

/**
 * A team moves one feature at a time: what Flagstone lacks is another Pennant store's.
 *
 * @runTestsInSeparateProcesses
 * @preserveGlobalState disabled
 */
#[RunTestsInSeparateProcesses]
#[PreserveGlobalState(false)]
final class PennantFallbackTest extends TestCase
{
    /** @var list<string> contracts and classes of the Pennant that is there */
    private const NEWEST = ['Driver', 'CanListStoredFeatures', 'DefinesFeaturesExternally', 'UnknownFeatureResolved', 'Decorator', 'StoringDriver', 'FeatureManager'];

    private ?string $fallback = 'database';

    protected function flagstone(): array
    {
        return ['unknown' => 'log', 'binary' => \getenv('FLAGSTONE_BIN'), 'pennant' => ['scopes' => [Firm::class => 'company'], 'fallback' => $this->fallback]];
    }

    protected function configure(Application $app): void
    {
        foreach (self::NEWEST as $double) {
            require_once __DIR__ . "/doubles/Pennant/$double.php";
        }
        $app->make('config')->set('pennant.stores.database', ['driver' => 'stores']);
        $app->singleton(FeatureManager::class);
    }

    protected function setUp(): void
    {
        parent::setUp();
        // The extension says there why a store cannot be read.
        \ini_set('error_log', '/dev/null');
        $this->publish(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]]]);
        $this->manager()->extend('stores', fn (): StoringDriver => new StoringDriver());
    }

    public function test_what_flagstone_lacks_is_read_and_written_in_the_other_store(): void
    {
        [$one, $two] = [new Firm(['id' => 15]), new Firm(['id' => 16])];
        $store = $this->manager()->store('flagstone');
        $other = $this->manager()->store('database');
        $other->set('unmoved', $one, true);
        $drawn = 0;
        $store->define('lottery', function () use (&$drawn): int {
            return ++$drawn;
        });

        self::assertTrue($store->get('unmoved', $one), 'what is stored stays');
        self::assertSame([1, 1], [$store->get('lottery', $one), $store->getDriver()->get('lottery', $one)], 'drawn once');
        self::assertSame(2, $store->get('lottery', $two));
        $store->set('only-in-code', $two, 'blue');
        self::assertSame('blue', $other->getDriver()->get('only-in-code', $two));
        $store->setForAllScopes('only-in-code', 'red');
        self::assertSame('red', $other->getDriver()->get('only-in-code', $two));
        self::assertSame(
            ['portal' => ['a' => true, 'b' => false], 'unmoved' => ['x' => true], 'none' => []],
            $store->getAll(['portal' => ['a' => $one, 'b' => $two], 'unmoved' => ['x' => $one], 'none' => []]),
        );
        self::assertSame(['unmoved', 'lottery', 'only-in-code'], $store->stored());
        $store->delete('only-in-code', $two);
        $store->purge(['unmoved']);
        self::assertSame(['lottery', 'only-in-code'], $store->stored());
        $store->purge(null);
        self::assertSame([], $store->stored());
    }

    public function test_what_flagstone_has_is_written_by_command_alone(): void
    {
        $store = $this->manager()->store('flagstone')->getDriver();
        $one = new Firm(['id' => 15]);
        foreach ([
            fn () => $store->set('portal', $one, true), fn () => $store->setForAllScopes('portal', false),
            fn () => $store->delete('portal', $one), fn () => $store->purge(['portal', 'unmoved']),
        ] as $write) {
            try {
                $write();
                self::fail('flags are changed by command');
            } catch (ManagedExternally $problem) {
                self::assertStringContainsString('portal', $problem->getMessage());
                self::assertStringNotContainsString('unmoved', $problem->getMessage());
            }
        }
    }

    public function test_a_feature_that_moves_is_flagstones_from_then_on(): void
    {
        $store = $this->manager()->store('flagstone');
        $one = new Firm(['id' => 15]);
        $store->set('moves', $one, true);
        self::assertTrue($store->get('moves', $one));
        $this->publish(['moves' => false]);
        self::assertFalse($store->get('moves', $one));
    }

    public function test_what_is_stored_but_for_some_is_purged_as_pennants_command_does(): void
    {
        // stored() named flags, so that `pennant:purge --except` was refused whatever it named.
        $store = $this->manager()->store('flagstone');
        $one = new Firm(['id' => 15]);
        foreach (['keeps', 'goes', 'moves'] as $feature) {
            $store->set($feature, $one, true);
        }
        $this->publish(['portal' => false, 'moves' => false]);
        self::assertSame(['keeps', 'goes', 'moves'], $store->stored());
        $store->purge(['goes', 'moves']);
        self::assertSame(['keeps'], $store->stored());
        $store->purge([]);
        self::assertSame(['keeps'], $store->stored());
        // --except-registered.
        self::assertSame(['keeps'], \array_values(\array_diff($store->stored(), $store->defined())));
    }

    public function test_a_kill_reaches_through_pennants_cache(): void
    {
        // It was true for as long as the process ran.
        $store = $this->manager()->store('flagstone');
        self::assertInstanceOf(Decorator::class, $store);
        $one = new Firm(['id' => 15]);
        self::assertSame([true, true], [$store->get('portal', $one), $store->get('portal', $one)]);
        $this->flagstoneCommand('kill', 'portal', '--reason', 'test');
        self::assertFalse($store->get('portal', $one));
        $this->flagstoneCommand('revive', 'portal');
        self::assertTrue($store->get('portal', $one));
        $store->flushCache();
        self::assertTrue($store->get('portal', $one));
        $this->publish(['portal' => false]);
        self::assertFalse($store->get('portal', $one));
    }

    public function test_a_kill_reaches_through_the_cache_of_a_store_of_any_name(): void
    {
        // The store was expected to be called "flagstone": another one's cache kept what it had until it was flushed.
        $this->app->make('config')->set('pennant.stores.flags', ['driver' => 'flagstone']);
        $store = $this->manager()->store('flags');
        $one = new Firm(['id' => 15]);
        self::assertTrue($store->get('portal', $one));
        $this->flagstoneCommand('kill', 'portal', '--reason', 'test');
        self::assertFalse($store->get('portal', $one));
    }

    public function test_a_store_with_this_driver_is_no_fallback_whatever_its_name(): void
    {
        // It asked itself until the memory was full.
        $this->fallback = 'flags';
        $this->refreshApplication();
        $this->app->make('config')->set('pennant.stores.flags', ['driver' => 'flagstone']);
        $this->expectException(InvalidSetting::class);
        $this->manager()->store('flags')->get('unmoved', new Firm(['id' => 15]));
    }

    public function test_what_is_written_first_after_a_flush_is_asked_anew_once_it_is_a_flag(): void
    {
        // The write was kept in Pennant's own cache, in which a flag is not looked for.
        $store = $this->manager()->store('flagstone');
        $one = new Firm(['id' => 15]);
        $store->get('portal', $one);
        foreach (['flushCache' => [], 'purge' => [null]] as $empties => $arguments) {
            $store->$empties(...$arguments);
            $store->set('moves', $one, true);
            $this->publish(['moves' => false]);
            self::assertFalse($store->get('moves', $one), $empties);
            $this->publish(['portal' => true]);
        }
    }

    public function test_a_feature_is_off_where_a_process_that_runs_cannot_read_the_store_any_more(): void
    {
        // What it had read before was taken for all flags that there are.
        $one = new Firm(['id' => 15]);
        $store = $this->manager()->store('flagstone');
        $this->manager()->store('database')->set('unmoved', $one, true);
        self::assertTrue($store->getDriver()->get('unmoved', $one));
        $path = Support\Store::path();
        \rename($path, "$path.away");
        try {
            $deadline = \time() + 30;
            while (\flagstone_status()['last_error'] === null && \time() < $deadline) {
                \usleep(100_000);
                \flagstone_refresh();
            }
            self::assertSame('current', \flagstone_status()['source']);
            self::assertFalse($store->getDriver()->get('unmoved', $one));
            $this->expectException(ManagedExternally::class);
            $store->getDriver()->set('unmoved', $one, true);
        } finally {
            \rename("$path.away", $path);
        }
    }

    public function test_a_feature_is_off_and_not_written_while_the_flags_cannot_be_read(): void
    {
        // A worker without definitions took every flag for a feature of the other store, killed ones included.
        $one = new Firm(['id' => 15]);
        $store = $this->manager()->store('flagstone');
        $this->manager()->store('database')->set('portal', $one, true);
        $this->flagstoneCommand('kill', 'portal', '--reason', 'test');
        foreach (['missing' => null, 'writable by everybody' => 0o777] as $state => $mode) {
            $path = Support\Store::unused('store');
            if ($mode !== null) {
                \mkdir($path);
                \chmod($path, $mode);
            }
            \flagstone_use($path);
            self::assertSame('no_snapshot', \feature_explain('portal')['reason'], $state);
            self::assertFalse($store->get('portal', $one), $state);
            self::assertSame(['portal' => [false], 'unmoved' => [false]], $store->getAll(['portal' => [$one], 'unmoved' => [$one]]), $state);
            foreach ([
                fn () => $store->getDriver()->set('portal', $one, true), fn () => $store->getDriver()->setForAllScopes('portal', true),
                fn () => $store->getDriver()->delete('portal', $one), fn () => $store->getDriver()->purge(['portal']),
            ] as $write) {
                try {
                    $write();
                    self::fail($state);
                } catch (ManagedExternally $problem) {
                    self::assertStringContainsString($path, $problem->getMessage(), $state);
                    self::assertSame('php artisan feature:doctor', $problem->command);
                }
            }
            \flagstone_use(Support\Store::path());
            self::assertFalse($store->get('portal', $one), 'the cache kept nothing');
            $this->flagstoneCommand('revive', 'portal');
            self::assertTrue($store->get('portal', $one), 'the cache kept nothing');
            $this->flagstoneCommand('kill', 'portal', '--reason', 'test');
        }
    }

    public function test_definitions_in_code_do_not_answer_while_the_flags_cannot_be_read(): void
    {
        // A killed flag was on in a worker without definitions.
        $this->fallback = null;
        $this->refreshApplication();
        $driver = $this->manager()->store('flagstone')->getDriver();
        $driver->define('portal', fn (): bool => true);
        \flagstone_use(Support\Store::unused('store'));
        self::assertFalse($driver->get('portal', new Firm(['id' => 15])));
        self::assertFalse($driver->get('portal', 15), 'a scope that means nothing');
    }

    public function test_a_feature_is_off_where_older_definitions_than_the_newest_answer(): void
    {
        // A flag of the newest generation alone was taken for a feature of the other store.
        $one = new Firm(['id' => 15]);
        $store = $this->manager()->store('flagstone');
        $this->manager()->store('database')->set('moves', $one, true);
        $this->publish(['portal' => true, 'moves' => true]);
        $path = Support\Store::unused('store');
        \exec('cp -a ' . \escapeshellarg(Support\Store::path()) . ' ' . \escapeshellarg($path));
        $snapshots = \glob("$path/snapshots/*.snapshot");
        \unlink(\end($snapshots));
        \flagstone_use($path);
        self::assertSame(['unknown_flag', 'previous'], [\feature_explain('moves')['reason'], \flagstone_status()['source']]);
        $logged = [];
        Event::listen(MessageLogged::class, function (MessageLogged $event) use (&$logged): void {
            $logged[] = $event->message;
        });
        self::assertFalse($store->get('moves', $one));
        self::assertSame([false], $store->getAll(['moves' => [$one]])['moves']);
        self::assertStringStartsWith('Flags are answered from older definitions than are published: generation', $logged[0]);
        $this->expectException(ManagedExternally::class);
        $store->getDriver()->set('moves', $one, true);
    }

    public function test_a_readable_empty_store_leaves_features_to_the_other_store(): void
    {
        $path = Support\Store::unused('store');
        Support\Store::initialize($path);
        \flagstone_use($path);
        $one = new Firm(['id' => 15]);
        $store = $this->manager()->store('flagstone');
        $store->set('portal', $one, true);
        self::assertTrue($store->get('portal', $one));
        Support\Store::run('kill', 'portal', '--force', '--reason', 'test', '--store', $path);
        \flagstone_refresh();
        self::assertFalse($store->get('portal', $one), 'killed before it is published');
        \flagstone_use(Support\Store::path());
        $this->flagstoneCommand('kill', 'unmoved', '--force', '--reason', 'test');
        self::assertFalse($store->get('unmoved', $one), 'the same beside other flags');
    }

    public function test_a_feature_that_pennant_cached_is_asked_anew_once_it_is_a_flag(): void
    {
        // The cached answer stayed, through a kill too, for as long as the process ran.
        $store = $this->manager()->store('flagstone');
        [$one, $two] = [new Firm(['id' => 15]), new Firm(['id' => 16])];
        foreach ([$one, $two] as $scope) {
            $store->set('moves', $scope, true);
            self::assertTrue($store->get('moves', $scope));
        }
        $this->publish(['moves' => ['enabled' => true, 'companies' => ['deny' => [16]]]]);
        self::assertSame([true, false], [$store->get('moves', $one), $store->get('moves', $two)]);
        $this->flagstoneCommand('kill', 'moves', '--reason', 'test');
        self::assertFalse($store->get('moves', $one));
        self::assertFalse($store->isCached('moves', $one));
    }

    public function test_the_cache_keeps_no_flag_after_a_write_for_all_scopes(): void
    {
        // Pennant replaces its cache then: the new one kept flags.
        $store = $this->manager()->store('flagstone');
        $one = new Firm(['id' => 15]);
        self::assertTrue($store->get('portal', $one));
        $store->setForAllScopes('unmoved', true);
        self::assertTrue($store->get('portal', $one));
        $this->flagstoneCommand('kill', 'portal', '--reason', 'test');
        self::assertFalse($store->get('portal', $one));
    }

    public function test_without_a_fallback_a_write_says_what_to_do(): void
    {
        $this->fallback = null;
        $this->refreshApplication();
        $this->expectException(ManagedExternally::class);
        $this->expectExceptionMessage('change "only-in-code", which no flag defines');
        $this->manager()->store('flagstone')->getDriver()->set('only-in-code', new Firm(['id' => 15]), true);
    }

    public function test_the_fallback_is_another_store(): void
    {
        $this->fallback = 'flagstone';
        $this->refreshApplication();
        $this->expectException(InvalidSetting::class);
        $this->expectExceptionMessage('pennant.fallback is "flagstone"');
        $this->manager()->store('flagstone')->getDriver()->get('unmoved', new Firm(['id' => 15]));
    }

    public function test_the_driver_builds_on_what_a_pennant_has(): void
    {
        self::assertInstanceOf(ExternalDriver::class, $this->manager()->store('flagstone')->getDriver());
        // Pennant 1.7 lacks the contracts that came later.
        foreach (['' => FlagstoneDriver::class, 'CanListStoredFeatures' => ListingDriver::class] as $more => $class) {
            $script = Support\Store::unused('pennant.php');
            $doubles = __DIR__ . '/doubles/Pennant';
            $load = \implode('', \array_map(static fn (string $name): string => "require '$doubles/$name.php';", \array_filter(['Driver', $more])));
            \file_put_contents($script, "<?php require '" . __DIR__ . "/bootstrap.php'; $load echo is_subclass_of('$class', 'Laravel\\Pennant\\Contracts\\Driver') ? 'loads' : 'no';");
            self::assertSame('loads', \shell_exec(\escapeshellarg(\PHP_BINARY) . ' ' . \escapeshellarg($script) . ' 2>&1'));
        }
    }

    private function manager(): FeatureManager
    {
        return $this->app->make(FeatureManager::class);
    }

    public function test_doctor_takes_no_feature_of_pennants_for_a_missing_flag(): void
    {
        // Its advice, to publish a flag of that name, would have turned the feature off.
        $folder = $this->app->basePath('app');
        \is_dir($folder) || \mkdir($folder);
        $file = "$folder/AsksPennant.php";
        $asks = "<?php use Laravel\\Pennant\\Feature; Feature::active('old'); Feature::for(\$x)->active('old-too'); Feature::active('portal');";
        try {
            foreach (['' => [0, false], " \\Flagstone\\Laravel\\Facades\\Flagstone::enabled('typo'); feature_enabled('old');" => [1, true]] as $more => [$code, $isProblem]) {
                \file_put_contents($file, $asks . $more);
                $kernel = $this->app->make(Kernel::class);
                $came = $kernel->call('feature:doctor --json');
                $printed = $kernel->output();
                self::assertSame($code, $came, $printed);
                $checks = \json_decode($printed, true)['checks'];
                $texts = \array_column($checks, 'text', 'check');
                self::assertStringContainsString('old-too', $texts['pennant']);
                self::assertSame($isProblem, isset($texts['code-undefined']));
                self::assertStringNotContainsString('portal', $texts['pennant'] . ($texts['code-undefined'] ?? ''));
                $isProblem && self::assertMatchesRegularExpression('/so off: old \(.*, typo \(/', $texts['code-undefined']);
            }
        } finally {
            \unlink($file);
        }
    }

    public function test_doctor_says_that_the_code_could_not_be_scanned(): void
    {
        // No name was found, so nothing was said to be missing.
        $command = Support\Store::unused('command');
        $checks = '{"checks": [{"check": "code-undefined", "state": "failed", "critical": false}]}';
        \file_put_contents($command, "#!/bin/sh\ncase \$1 in scan) echo 'flagstone: broken' >&2; exit 2;; doctor) echo '$checks'; exit 1;; esac\nexec " . \getenv('FLAGSTONE_BIN') . ' "$@"');
        \chmod($command, 0755);
        $this->app->make('config')->set('flagstone.binary', $command);
        (new \Flagstone\Laravel\Changes\ChangeServices())->register($this->app);
        $kernel = $this->app->make(Kernel::class);
        $kernel->call('feature:doctor --json');
        $texts = \array_column(\json_decode($kernel->output(), true)['checks'], 'text', 'check');
        self::assertSame('cannot tell which flags the code names: broken', $texts['code-undefined'] ?? null);
    }
}
