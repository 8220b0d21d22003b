<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Skeleton;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Foundation\Application;

/**
 * The script that operators know: toggle-feature-flag.php ENV FLAG true|false.
 */
final class ToggleTest extends TestCase
{
    use Artisan;

    private string $store;
    /** @var array<string, string> php.ini of the script */
    private array $ini = [];

    protected function configure(Application $app): void
    {
        $this->store = $this->ownStore($app, [
            'customer_portal' => ['enabled' => false, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'dark_mode' => false,
        ]);
    }

    /** @param array<string, ?string> $environment null: not set */
    private function toggle(array $arguments, array $environment = [], ?string $folder = null, ?string $script = null, ?string $ini = null): int
    {
        $this->ini = $ini === null ? $this->ini : ['flagstone.store' => $ini];
        $environment += ['PATH' => (string) \getenv('PATH'), 'FLAGSTONE_BINARY' => (string) \getenv('FLAGSTONE_BIN')];
        // The runner's settings of PHP, not this machine's, which may name a store.
        $environment += ['PHP_INI_SCAN_DIR' => (string) \getenv('PHP_INI_SCAN_DIR')];
        $environment = \array_filter($environment + ['FLAGSTONE_STORE' => $this->store], \is_string(...));
        $settings = [];
        foreach ($this->ini as $name => $value) {
            $settings[] = '-d';
            $settings[] = "$name=$value";
        }
        $command = [\PHP_BINARY, ...$settings, $script ?? \dirname(__DIR__) . '/toggle-feature-flag.php', ...$arguments];
        $process = \proc_open($command, [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes, $folder, $environment);
        $this->printed = \stream_get_contents($pipes[1]) . \stream_get_contents($pipes[2]);
        $code = \proc_close($process);
        $this->app->make('flagstone')->driver()->refresh();

        return $code;
    }

    public function test_it_turns_a_flag_on_for_whom_it_says_and_off_again(): void
    {
        $on = fn (int $company): bool => $this->app->make('flagstone')->for($company)->enabled('customer_portal');
        self::assertSame(0, $this->toggle(['testing', 'customer_portal', 'true']), $this->printed);
        self::assertSame([true, false], [$on(15), $on(16)], 'the pilot stays a pilot');
        self::assertStringContainsString('testing on ', $this->printed);
        self::assertSame(0, $this->toggle(['testing', 'FEATURE_CUSTOMER_PORTAL', 'false', 'wrong totals']));
        self::assertFalse($on(15));
        self::assertSame(0, $this->toggle(['testing', 'DARK_MODE', 'true']));
        self::assertSame(0, $this->toggle(['testing', 'dark_mode', 'true']), 'twice is once');

        self::assertSame(0, $this->artisanCode('feature:history --json'));
        $changes = \json_decode($this->printed, true)['changes'];
        self::assertSame(['enable', 'disable', 'enable'], \array_slice(\array_column($changes, 'action'), 0, 3));
        self::assertSame('wrong totals', $changes[1]['reason']);
        self::assertStringContainsString('typed by ', $changes[0]['reason']);
        self::assertSame(0, $this->artisanCode('feature:incident --since=20m --json'));
        $incident = \json_decode($this->printed, true);
        self::assertSame(['enable', 'disable', 'enable'], \array_slice(\array_column($incident['changes'], 'action'), 0, 3));
        self::assertSame('flagstone kill dark_mode --reason WHY', $incident['changes'][0]['back']);
        self::assertNotSame('', $changes[0]['actor']['user']);
    }

    public function test_another_environment_or_an_unknown_flag_is_refused(): void
    {
        self::assertSame(1, $this->toggle(['production', 'dark_mode', 'true']));
        self::assertStringContainsString('is the store of testing, not of production; nothing was changed', $this->printed);
        self::assertSame(1, $this->toggle(['testing', 'dark_mod', 'true']));
        self::assertStringContainsString('did you mean "dark_mode"?', $this->printed);
        self::assertFalse($this->app->make('flagstone')->for(1)->enabled('dark_mode'));
    }

    public function test_what_is_typed_wrongly_is_explained(): void
    {
        foreach ([[], ['testing'], ['testing', 'dark_mode'], ['testing', 'dark_mode', 'on'], ['testing', '', 'true'], ['a', 'b', 'true', 'c', 'd']] as $arguments) {
            self::assertSame(2, $this->toggle($arguments));
            self::assertStringContainsString('expected ENV FLAG true|false', $this->printed);
        }
        self::assertSame(2, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => '/nonexistent']));
        self::assertSame(1, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_BINARY' => '/nonexistent']));
        self::assertStringContainsString('make install', $this->printed);
    }

    /** A folder as `laravel new` makes it, with this package's configuration as it comes. */
    private function application(string $dotenv): string
    {
        $folder = Store::unused('toggle');
        foreach (['vendor/flagstone', 'bootstrap/cache', 'config', 'storage/framework/views', 'storage/logs'] as $path) {
            \mkdir("$folder/$path", 0755, true);
        }
        \file_put_contents("$folder/artisan", <<<'PHP'
            <?php
            require __DIR__ . '/vendor/autoload.php';
            $app = require __DIR__ . '/bootstrap/app.php';
            exit($app->make(Illuminate\Contracts\Console\Kernel::class)
                ->handle(new Symfony\Component\Console\Input\ArgvInput(), new Symfony\Component\Console\Output\ConsoleOutput()));
            PHP);
        \touch("$folder/composer.json");
        \file_put_contents("$folder/vendor/autoload.php", '<?php require_once ' . \var_export(__DIR__ . '/bootstrap.php', true) . ';');
        $config = Skeleton::folder() . '/config';
        foreach (\array_diff((array) \scandir($config), ['.', '..', 'app.php']) as $file) {
            \copy("$config/$file", "$folder/config/$file");
        }
        $configuration = "<?php return ['env' => env('APP_ENV', 'production')] + require " . \var_export("$config/app.php", true) . ';';
        \file_put_contents("$folder/config/app.php", $configuration);
        \file_put_contents("$folder/bootstrap/app.php", <<<'PHP'
            <?php
            $app = new Illuminate\Foundation\Application(dirname(__DIR__));
            $app->singleton(Illuminate\Contracts\Console\Kernel::class, Flagstone\Laravel\Tests\Support\ConsoleKernel::class);
            $app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);
            if (method_exists($app, 'dontMergeFrameworkConfiguration')) {
                $app->dontMergeFrameworkConfiguration();
            }
            return $app;
            PHP);
        \file_put_contents("$folder/.env", $dotenv);

        return $folder;
    }

    /** As `config:cache` does. */
    private function cacheConfiguration(string $folder, string $store): void
    {
        $config = ['flagstone' => ['store' => $store, 'binary' => \getenv('FLAGSTONE_BIN')] + require \dirname(__DIR__) . '/config/flagstone.php'];
        foreach ((array) \glob("$folder/config/*.php") as $file) {
            $config += [\basename((string) $file, '.php') => require $file];
        }
        \file_put_contents("$folder/bootstrap/cache/config.php", '<?php return ' . \var_export($config, true) . ';');
    }

    /** Composer's command, as Composer 2.2 and later write it for a package of the type "path", which it links. */
    private function proxy(string $bin): string
    {
        @\mkdir($bin, 0755, true);
        $script = \dirname(__DIR__) . '/toggle-feature-flag.php';
        \file_put_contents("$bin/toggle-feature-flag.php", "#!/usr/bin/env php\n<?php\n\nnamespace Composer;\n\n"
            . "\$GLOBALS['_composer_bin_dir'] = __DIR__;\n\$GLOBALS['_composer_autoload_path'] = __DIR__ . '/..'.'/autoload.php';\n\n"
            . 'return include ' . \var_export($script, true) . ";\n");

        return "$bin/toggle-feature-flag.php";
    }

    public function test_the_store_may_be_named_in_dotenv(): void
    {
        $folder = $this->application("APP_ENV=production\nFLAGSTONE_STORE=\"{$this->store}\"\n");
        foreach (['vendor/bin', 'bin'] as $number => $bin) {
            $script = $this->proxy("$folder/$bin");
            $value = $number === 0 ? 'true' : 'false';
            self::assertSame(0, $this->toggle(['testing', 'dark_mode', $value], ['FLAGSTONE_STORE' => null], '/', $script), $this->printed);
            self::assertSame($value === 'true', $this->app->make('flagstone')->for(1)->enabled('dark_mode'));
        }
    }

    /** The script read .env by itself: a value that artisan understood otherwise had it switch another store. */
    public function test_it_switches_the_store_that_artisan_does(): void
    {
        // .env, other files, php.ini
        $settings = [
            'a comment' => ["FLAGSTONE_STORE=SHOP # production\n", [], []],
            'quotes and a comment' => ["FLAGSTONE_STORE=\"SHOP\"   # production\n", [], []],
            'single quotes and export' => ["export FLAGSTONE_STORE='SHOP'\n", [], []],
            'a variable' => ["BASE=SHOP\nFLAGSTONE_STORE=\"\${BASE}\"\n", [], []],
            'the last of two' => ["FLAGSTONE_STORE=OLD\nFLAGSTONE_STORE=SHOP\n", [], []],
            'a comment without a space' => ["FLAGSTONE_STORE=SHOP#1\n", [], []],
            'a value of several lines before it' => ["NOTE=\"one\nFLAGSTONE_STORE=OLD\n\"\nFLAGSTONE_STORE=SHOP\n", [], []],
            'a file of the environment' => ["FLAGSTONE_STORE=OLD\n", ['.env.production' => "FLAGSTONE_STORE=SHOP\n"], []],
            'the configuration' => ["FLAGSTONE_STORE=OLD\n", ['config/flagstone.php' => "<?php return ['store' => 'SHOP'];"], []],
            'php.ini and .env' => ["FLAGSTONE_STORE=SHOP\n", [], ['flagstone.store' => 'SHOP']],
            'php.ini alone' => ['', [], ['flagstone.store' => 'SHOP']],
        ];
        $named = ['SHOP' => $this->store, 'OLD' => $this->ownStore($this->app, ['dark_mode' => false])];
        $unset = ['FLAGSTONE_STORE' => null, 'APP_ENV' => 'production'];
        $on = true;
        foreach ($settings as $case => [$dotenv, $files, $ini]) {
            $folder = $this->application(\strtr($dotenv, $named));
            foreach ($files as $name => $text) {
                \file_put_contents("$folder/$name", \strtr($text, $named));
            }
            $this->ini = \array_map(static fn (string $value): string => \strtr($value, $named), $ini);
            $code = $this->toggle(['testing', 'dark_mode', $on ? 'true' : 'false'], $unset, '/', $this->proxy("$folder/vendor/bin"));
            self::assertSame(0, $code, "$case: $this->printed");
            self::assertSame($on, $this->app->make('flagstone')->for(1)->enabled('dark_mode'), "$case: $this->printed");
            $on = !$on;
        }
    }

    /**
     * Two applications of one host share php.ini, whose store is final and is that of one of them: the other one's artisan killed a flag of
     * the first, and said that it is off for everybody.
     */
    public function test_nothing_is_changed_where_php_ini_names_another_store_than_the_application(): void
    {
        $theirs = $this->store;
        $mine = $this->ownStore($this->app, ['dark_mode' => true]);
        $folder = $this->application("FLAGSTONE_STORE=$mine\n");
        $artisan = fn (string $store, string ...$arguments): int
            => $this->toggle([...$arguments, '--no-interaction'], ['FLAGSTONE_STORE' => null], $folder, "$folder/artisan", $store);
        $generations = static fn (): array => \array_map(static fn (string $store): string => (string) \file_get_contents("$store/head"), [$theirs, $mine]);
        $before = $generations();

        self::assertSame(1, $artisan($theirs, 'feature:kill', 'dark_mode', '--reason=it burns'), $this->printed);
        self::assertStringContainsString("php.ini (flagstone.store) names the store $theirs, which answers here; this application names $mine", $this->printed);
        self::assertStringContainsString('NOTHING WAS STOPPED', $this->printed);
        self::assertStringContainsString("    flagstone kill --store=$mine '--reason=it burns' -- dark_mode\n", $this->printed);
        self::assertStringContainsString("    flagstone kill --store=$theirs '--reason=it burns' -- dark_mode\n", $this->printed);
        // It answered by php.ini's store without a word.
        foreach ([['explain', 'dark_mode'], ['list', '--company=15']] as [$command, $argument]) {
            $artisan($theirs, "feature:$command", $argument);
            self::assertStringContainsString("warning: php.ini (flagstone.store) names the store $theirs", $this->printed, $command);
        }
        foreach ([['stop-all', '--reason=x', '--yes'], ['revive', 'dark_mode'], ['disable', 'dark_mode', '--yes'], ['enable', 'dark_mode', '--yes'],
            ['rollout', 'dark_mode', '10', '--yes'], ['publish', '--yes'], ['tick'], ['rollback', '--yes'], ['resume-all'], ['pull']] as $arguments) {
            self::assertSame(1, $artisan($theirs, 'feature:' . \array_shift($arguments), ...$arguments), $this->printed);
            self::assertStringContainsString("php -d flagstone.store=$mine", $this->printed);
        }
        self::assertSame(1, $this->toggle(['testing', 'dark_mode', 'false'], ['FLAGSTONE_STORE' => null], '/', $this->proxy("$folder/vendor/bin"), $theirs));
        self::assertStringContainsString('nothing was changed: php.ini', $this->printed);
        self::assertSame($before, $generations(), 'neither store was changed');

        self::assertSame(0, $artisan($theirs, 'feature:settings', '--json'), $this->printed);
        self::assertStringContainsString("\"overridden_store\":\"$mine\"", $this->printed);
        self::assertSame(1, $artisan($theirs, 'feature:doctor'), $this->printed);
        self::assertMatchesRegularExpression('/problem +named-store +php.ini/', $this->printed);
        self::assertSame(0, $artisan($theirs, 'feature:list'), $this->printed);
        self::assertStringContainsString("warning: php.ini (flagstone.store) names the store $theirs", $this->printed);

        // The line that the refusal names, and a link to the same store.
        self::assertSame(0, $artisan($mine, 'feature:kill', 'dark_mode', '--reason=it burns'), $this->printed);
        \symlink($mine, "$folder/link");
        self::assertSame(0, $artisan("$folder/link", 'feature:revive', 'dark_mode'), $this->printed);
    }

    /** A cached configuration passes over the variable that somebody typed: stop-all acted on the other store, and said that it is done. */
    public function test_a_store_typed_beside_a_cached_configuration_is_refused(): void
    {
        $folder = $this->application("FLAGSTONE_STORE=$this->store\n");
        $typed = $this->ownStore($this->app, ['dark_mode' => true]);
        $script = $this->proxy("$folder/vendor/bin");
        $this->cacheConfiguration($folder, $this->store);
        self::assertSame(1, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => $typed], '/', $script), $this->printed);
        self::assertStringContainsString("the cached configuration names the store $this->store, which answers here; this application names $typed", $this->printed);
        self::assertSame(0, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => null], '/', $script), $this->printed);
    }

    /** FLAGSTONE_STORE of a shell, as the README's installation exports it, wins over .env: another application's flag was killed. */
    public function test_nothing_is_changed_where_the_environment_names_another_store_than_dotenv(): void
    {
        $theirs = $this->store;
        $mine = $this->ownStore($this->app, ['dark_mode' => true]);
        $heads = static fn (): array => \array_map(static fn (string $store): string => (string) \file_get_contents("$store/head"), [$theirs, $mine]);
        $before = $heads();
        $files = [
            '.env' => ["FLAGSTONE_STORE=$mine\n", ''],
            'a variable' => ['FLAGSTONE_STORE=${BASE}/' . \basename($mine) . "\n", ''],
            'the file of APP_ENV' => ["FLAGSTONE_STORE=$theirs\n", "FLAGSTONE_STORE=$mine\n"],
        ];
        $environment = ['FLAGSTONE_STORE' => $theirs, 'BASE' => \dirname($mine), 'APP_ENV' => 'production'];
        foreach ([false, true] as $isCached) {
            foreach ($files as $case => [$dotenv, $ofEnvironment]) {
                $folder = $this->application($dotenv);
                if ($ofEnvironment !== '') {
                    \file_put_contents("$folder/.env.production", $ofEnvironment);
                }
                if ($isCached) {
                    $this->cacheConfiguration($folder, $theirs);
                }
                $artisan = fn (string ...$arguments): int => $this->toggle([...$arguments, '--no-interaction'], $environment, $folder, "$folder/artisan");
                $where = $isCached ? 'the cached configuration' : 'FLAGSTONE_STORE of the environment';
                $said = "$where names the store $theirs, which answers here; this application names $mine (FLAGSTONE_STORE in .env)";
                foreach ([['kill', 'dark_mode', '--reason=it burns'], ['stop-all', '--reason=x'], ['publish', '--yes']] as $arguments) {
                    self::assertSame(1, $artisan('feature:' . \array_shift($arguments), ...$arguments), "$case: $this->printed");
                    self::assertStringContainsString("$said; nothing was changed", $this->printed);
                    self::assertStringContainsString('unset FLAGSTONE_STORE', $this->printed);
                }
                if ($case === '.env') {
                    self::assertSame(1, $artisan('feature:doctor'), $this->printed);
                    self::assertMatchesRegularExpression('~^problem +named-store +' . \preg_quote($said, '~') . '~m', $this->printed);
                }
                self::assertSame(0, $artisan('feature:settings'), $this->printed);
                self::assertStringContainsString("warning      $said", $this->printed);
                self::assertSame(1, $this->toggle(['testing', 'dark_mode', 'false'], $environment, '/', $this->proxy("$folder/vendor/bin")), $this->printed);
            }
        }
        self::assertSame($before, $heads(), 'neither store was changed');
    }

    /** A blank FLAGSTONE_STORE of the environment hid the store of .env: a kill reached an old store at the default place, and said "killed". */
    public function test_a_blank_variable_of_the_environment_leaves_dotenv_its_settings(): void
    {
        \preg_match_all("/env\\('(FLAGSTONE_\\w+)'/", (string) \file_get_contents(__DIR__ . '/../config/flagstone.php'), $names);
        self::assertCount(9, $names[1], 'DotenvFile has them all');
        $binary = (string) \getenv('FLAGSTONE_BIN');
        $folder = $this->application("FLAGSTONE_STORE=$this->store\nFLAGSTONE_DRIVER=store\nFLAGSTONE_ENVIRONMENT=testing\nFLAGSTONE_BINARY=$binary\nFLAGSTONE_UNKNOWN=throw\n"
            . "FLAGSTONE_SLACK_WEBHOOK=\"https://slack\"\nFLAGSTONE_HEALTH_PATH=up\nFLAGSTONE_METRICS_PATH=true\nFLAGSTONE_MONITORING_TOKEN=secret\n");
        \mkdir("$folder/storage/flagstone", 0755);
        Store::initialize("$folder/storage/flagstone");
        $show = <<<'PHP'
            <?php
            require __DIR__ . '/vendor/autoload.php';
            $app = require __DIR__ . '/bootstrap/app.php';
            $app->make(Flagstone\Laravel\Tests\Support\HttpKernel::class)->bootstrap();
            echo json_encode(['flagstone' => array_filter(config('flagstone'), 'is_string'), 'routes' => config('flagstone.routes')]);
            PHP;
        \file_put_contents("$folder/web.php", $show);
        foreach ([' ', ''] as $blank) {
            $environment = \array_fill_keys($names[1], $blank);
            self::assertSame(0, $this->toggle([], $environment, $folder, "$folder/web.php"), $this->printed);
            $read = (array) \json_decode($this->printed, true);
            $expected = ['driver' => 'store', 'store' => $this->store, 'environment' => 'testing', 'binary' => $binary, 'unknown' => 'throw'];
            self::assertSame($expected, \array_intersect_key($read['flagstone'], $expected));
            self::assertSame(['health' => 'up', 'metrics' => true, 'token' => 'secret'], \array_intersect_key($read['routes'], ['health' => 0, 'metrics' => 0, 'token' => 0]));
        }
        self::assertSame(0, $this->toggle(['feature:kill', 'dark_mode', '--reason=it burns'], $environment, $folder, "$folder/artisan"), $this->printed);
        self::assertStringStartsWith("store: $this->store\n", $this->printed);
        self::assertSame(0, $this->toggle(['feature:settings'], $environment, $folder, "$folder/artisan"), $this->printed);
        self::assertStringContainsString($this->store, $this->printed);
        self::assertStringNotContainsString('names the store', $this->printed);
        // Where .env has none either, the default place is meant.
        \file_put_contents("$folder/.env", "FLAGSTONE_STORE=\"\" # none\n");
        self::assertSame(0, $this->toggle(['feature:settings'], $environment, $folder, "$folder/artisan"), $this->printed);
        self::assertStringContainsString("$folder/storage/flagstone", $this->printed);
    }

    public function test_a_store_that_the_environment_names_alone_is_changed(): void
    {
        \symlink($this->store, $link = Store::unused('link'));
        foreach (['', "FLAGSTONE_STORE=\n", "FLAGSTONE_STORE=null\n", "FLAGSTONE_STORE=$this->store/\n", "FLAGSTONE_STORE=\"$link\" # here\n"] as $dotenv) {
            $folder = $this->application($dotenv);
            foreach (['kill' => '--reason=it burns', 'revive' => '--local-only'] as $command => $option) {
                self::assertSame(0, $this->toggle(["feature:$command", 'dark_mode', $option], [], $folder, "$folder/artisan"), "$dotenv: $this->printed");
            }
            self::assertSame(0, $this->toggle(['feature:settings'], [], $folder, "$folder/artisan"), $this->printed);
            self::assertStringNotContainsString('warning', $this->printed);
        }
        // The configuration reads no .env.
        $folder = $this->application("FLAGSTONE_STORE=/elsewhere\n");
        \file_put_contents("$folder/config/flagstone.php", '<?php return ' . \var_export(['store' => $this->store, 'driver' => null], true) . ';');
        self::assertSame(0, $this->toggle(['feature:kill', 'dark_mode', '--reason=x'], ['FLAGSTONE_STORE' => null], $folder, "$folder/artisan"), $this->printed);
    }

    public function test_the_first_line_of_a_kill_and_of_a_stop_names_the_store(): void
    {
        $folder = $this->application("FLAGSTONE_STORE=$this->store\n");
        foreach ([['feature:kill', 'dark_mode', '--reason=x'], ['feature:stop-all', '--reason=x', '--yes']] as $arguments) {
            self::assertSame(0, $this->toggle($arguments, ['FLAGSTONE_STORE' => null], $folder, "$folder/artisan"), $this->printed);
            self::assertStringStartsWith("store: $this->store\n", $this->printed);
            self::assertSame(0, $this->toggle([...$arguments, '--json'], ['FLAGSTONE_STORE' => null], $folder, "$folder/artisan"), $this->printed);
            self::assertIsArray(\json_decode($this->printed, true), $this->printed);
        }
    }

    /** Whoever may not change the store was asked for the environment's name first. */
    public function test_a_stop_of_a_store_that_cannot_be_written_is_refused_before_anything_is_asked(): void
    {
        $folder = $this->application("FLAGSTONE_STORE=$this->store\n");
        \file_put_contents("$folder/readonly.php", '<?php $php = array_map(escapeshellarg(...), [PHP_BINARY, __DIR__ . "/artisan", "feature:stop-all", "--reason=x"]);
            passthru("unshare --mount --propagation unchanged sh -ec \'mount --make-rprivate / 2>/dev/null || :; mount --bind \"$0\" \"$0\"; mount -o remount,ro,bind \"$0\"; exec \"$@\"\' "
                . escapeshellarg(' . \var_export($this->store, true) . ') . " " . implode(" ", $php) . " <" . __DIR__ . "/typed 2>&1", $code); exit($code);');
        \file_put_contents("$folder/typed", "testing\n");
        self::assertSame(2, $this->toggle([], ['FLAGSTONE_STORE' => null], $folder, "$folder/readonly.php"), $this->printed);
        self::assertStringContainsString("cannot write $this->store/head", $this->printed);
        self::assertStringContainsString('NOTHING WAS STOPPED', $this->printed);
        self::assertStringNotContainsString("Type the environment's name", $this->printed);
    }

    /** A user who may not write the store was refused although its agent would have stopped everything. */
    public function test_a_user_who_may_not_write_the_store_stops_and_kills_by_its_agent(): void
    {
        $folder = $this->application("FLAGSTONE_STORE=$this->store\n");
        \file_put_contents("$this->store/config.json", '{"agent": {"policy": {"stop": [33], "kill": [33]}}}');
        \mkdir("$folder/memory");
        \chown("$folder/bootstrap/cache", 33);
        // Other users pass the directory of all tests.
        \chmod((string) \getenv('FLAGSTONE_TEST_DIR'), 0711);
        $agent = \proc_open(
            [\getenv('FLAGSTONE_BIN') . '-agent', 'run', '--no-guard', "--store=$this->store", "--memory=$folder/memory"],
            [1 => ['file', "$folder/log", 'a'], 2 => ['file', "$folder/log", 'a']],
            $pipes,
        );
        self::assertIsResource($agent);
        try {
            $end = \hrtime(true) + 60_000_000_000;
            while (!\file_exists("$this->store/agent.sock") && \hrtime(true) < $end) {
                \usleep(10_000);
            }
            \file_put_contents("$folder/typed", "testing\n");
            \file_put_contents("$folder/user.php", '<?php $line = array_map(escapeshellarg(...), [PHP_BINARY, __DIR__ . "/artisan", ...array_slice($argv, 1)]);
                passthru("setpriv --reuid=33 --regid=33 --clear-groups " . implode(" ", $line) . " <" . __DIR__ . "/typed 2>&1", $code); exit($code);');
            $typed = fn (string ...$arguments): int => $this->toggle($arguments, ['FLAGSTONE_STORE' => null], $folder, "$folder/user.php");
            self::assertSame(0, $typed('feature:kill', 'dark_mode', '--reason=slow', '--actor=Alice'), $this->printed);
            self::assertStringContainsString('killed dark_mode', $this->printed);
            self::assertSame(0, $typed('feature:stop-all', '--reason=fire'), $this->printed);
            self::assertSame(1, $typed('feature:rollout', 'dark_mode', '5', '--no-interaction', '--yes'), $this->printed);
            self::assertStringContainsString('no right to change', $this->printed);
        } finally {
            \proc_terminate($agent, 9);
            \proc_close($agent);
        }
        self::assertSame(0, $this->artisanCode('feature:history'));
        self::assertStringContainsString('Alice, claimed (www-data@', $this->printed);
    }

    /** `config:cache` in a shell with another application's FLAGSTONE_STORE has the web answer from that store, and nothing said so. */
    public function test_a_cached_configuration_with_another_store_than_dotenv_is_found(): void
    {
        $mine = $this->ownStore($this->app, ['dark_mode' => true]);
        $folder = $this->application("FLAGSTONE_STORE=$mine\n");
        $this->cacheConfiguration($folder, $this->store);
        $artisan = fn (string ...$arguments): int => $this->toggle($arguments, ['FLAGSTONE_STORE' => null], $folder, "$folder/artisan");
        $said = "the cached configuration names the store $this->store, which answers here; this application names $mine (FLAGSTONE_STORE in .env)";
        self::assertSame(1, $artisan('feature:doctor'), $this->printed);
        self::assertStringContainsString($said, $this->printed);
        self::assertStringContainsString('unset FLAGSTONE_STORE, and php artisan config:cache', $this->printed);
        self::assertSame(0, $artisan('feature:settings'), $this->printed);
        self::assertStringContainsString("warning      $said", $this->printed);
        // An emergency is ended where the web answers.
        self::assertSame(0, $artisan('feature:kill', 'dark_mode', '--reason=x'), $this->printed);
    }

    public function test_an_application_that_does_not_start_is_said(): void
    {
        $folder = $this->application('');
        \file_put_contents("$folder/bootstrap/app.php", '<?php throw new LogicException("no database");');
        $script = $this->proxy("$folder/vendor/bin");
        self::assertSame(2, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => null], '/', $script));
        self::assertStringContainsString("the application in $folder does not start: no database; name the store in FLAGSTONE_STORE", $this->printed);
        self::assertSame(0, $this->toggle(['testing', 'dark_mode', 'true'], [], '/', $script), $this->printed);

        $folder = $this->application("FLAGSTONE_DRIVER=file\n");
        self::assertSame(1, $this->toggle(['testing', 'dark_mode', 'true'], [], '/', $this->proxy("$folder/vendor/bin")));
        self::assertStringContainsString('flags.json itself answers', $this->printed);
    }

    public function test_a_package_that_was_copied_finds_its_application(): void
    {
        $folder = $this->application("FLAGSTONE_STORE={$this->store}\n");
        $package = "$folder/vendor/flagstone/laravel";
        \mkdir("$package/src/Changes", 0755, true);
        foreach (['toggle-feature-flag.php', 'composer.json', 'src/Value.php', 'src/Changes/Binary.php', 'src/Changes/Result.php'] as $file) {
            \copy(\dirname(__DIR__) . "/$file", "$package/$file");
        }
        $script = "$package/toggle-feature-flag.php";
        self::assertSame(0, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => null], '/', $script), $this->printed);
        self::assertTrue($this->app->make('flagstone')->for(1)->enabled('dark_mode'));
    }

    /**
     * .env of a folder above the working directory named the command that was run: anybody's, where that folder was below one that
     * everybody can write.
     */
    public function test_nothing_is_taken_from_the_working_directory(): void
    {
        $folder = $this->application('');
        \file_put_contents("$folder/evil", "#!/bin/sh\ntouch $folder/ran\n");
        \chmod("$folder/evil", 0755);
        \file_put_contents("$folder/.env", "FLAGSTONE_BINARY=$folder/evil\nFLAGSTONE_STORE=$this->store\n");
        \mkdir("$folder/app/Jobs", 0755, true);
        foreach (['app/Jobs', ''] as $below) {
            $unset = ['FLAGSTONE_STORE' => null, 'FLAGSTONE_BINARY' => ''];
            self::assertSame(2, $this->toggle(['testing', 'dark_mode', 'true'], $unset, "$folder/$below"));
            self::assertStringContainsString('found no application: call it as vendor/bin/toggle-feature-flag.php', $this->printed);
            // With a store that is named it works anywhere, without that file.
            self::assertSame(0, $this->toggle(['testing', 'dark_mode', 'true'], [], "$folder/$below"), $this->printed);
        }
        // A relative folder on PATH is the working directory again.
        \rename("$folder/evil", "$folder/flagstone");
        foreach (['.', '', "./:$folder/none", 'app/..'] as $path) {
            self::assertSame(1, $this->toggle(['testing', 'dark_mode', 'true'], ['PATH' => $path, 'FLAGSTONE_BINARY' => ''], $folder));
            self::assertStringContainsString('make install', $this->printed);
        }
        self::assertFileDoesNotExist("$folder/ran");
    }

    public function test_the_search_ends_at_composer_json_and_takes_no_folder_that_everybody_can_write(): void
    {
        $outer = $this->application("FLAGSTONE_STORE=$this->store\n");
        \mkdir("$outer/inner");
        \touch("$outer/inner/composer.json");
        $script = $this->proxy("$outer/inner/vendor/bin");
        self::assertSame(2, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => null], null, $script));
        self::assertStringContainsString('found no application', $this->printed);

        \unlink("$outer/inner/composer.json");
        \chmod($outer, 01777);
        self::assertSame(2, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => null], null, $script));
        \chmod($outer, 0755);
        self::assertSame(0, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => null], null, $script), $this->printed);
    }
}
