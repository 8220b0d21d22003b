<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\ChangeServices;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Http\OwnRoutes;
use Flagstone\Laravel\Notifications\Endpoints;
use Flagstone\Laravel\Subject\Subjects;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Skeleton;
use Flagstone\Laravel\Tests\Support\Store;
use Flagstone\Polyfill\Process;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Facade;
use Illuminate\Support\Facades\Route;

/**
 * A setting that is left blank is as one that is not there, and an unknown word is an error that names the known ones.
 */
final class SettingsTest extends TestCase
{
    use Artisan;

    private string $store = '';

    protected function tearDown(): void
    {
        Process::useFile(null);
        parent::tearDown();
    }

    protected function configure(Application $app): void
    {
        $this->store = $this->ownStore($app, ['portal' => true]);
    }

    public function test_what_the_settings_come_to_is_told(): void
    {
        self::assertSame(0, $this->artisanCode('feature:settings --json'));
        $told = \json_decode($this->printed, true);
        self::assertSame(['environment', 'driver', 'store', 'overridden_store', 'command'], \array_keys($told));
        self::assertSame(['testing', $this->app->make('flagstone')->driver()->name()], [$told['environment'], $told['driver']]);
        self::assertSame(\realpath((string) \config('flagstone.store')), \realpath((string) $told['store']));
        self::assertSame(0, $this->artisanCode('feature:settings'));
        self::assertStringContainsString("store        {$told['store']}", $this->printed);
    }

    public function test_a_relative_path_is_the_applications_wherever_php_runs(): void
    {
        // FLAGSTONE_STORE=storage/flags: artisan published into one store, and the web server, in public/, looked for another.
        $base = $this->app->basePath();
        \symlink($this->store, "$base/storage/flags");
        $this->setting('overlay', 'own.local.json');
        $this->setting('file', 'own.json');
        $before = (string) \getcwd();
        try {
            foreach (["$base/public", $base, '/'] as $folder) {
                \chdir($folder);
                $this->setting('store', 'storage/flags');
                self::assertSame("$base/storage/flags", Config::of($this->app)->store($this->app), $folder);
                self::assertTrue($this->app->make('flagstone')->enabled('portal'), $folder);
                self::assertSame(0, $this->artisanCode('feature:settings --json'), $this->printed);
                self::assertSame(\realpath($this->store), \realpath(\json_decode($this->printed, true)['store']), $folder);
            }
            self::assertSame(0, $this->artisanCode('feature:install'), $this->printed);
            self::assertFileExists("$base/own.json");
            self::assertSame(0, $this->artisanCode('feature:make other'), $this->printed);
            self::assertStringContainsString('other', (string) \file_get_contents("$base/own.json"));
            self::assertSame(0, $this->artisanCode('feature:publish --yes'), $this->printed);
            self::assertSame(["$base/own.json", "$base/own.local.json"], [Config::of($this->app)->file($this->app), Config::of($this->app)->path('overlay', $this->app)]);
        } finally {
            \chdir($before);
            \unlink("$base/storage/flags");
            @\unlink("$base/own.json");
        }
    }

    public function test_every_setting_of_the_environment_may_be_blank(): void
    {
        $source = (string) \file_get_contents(__DIR__ . '/../config/flagstone.php');
        \preg_match_all("/env\('(FLAGSTONE_\w+)'/", $source, $names);
        self::assertGreaterThan(7, \count($names[1]));
        $unset = $this->written([]);
        foreach (['', ' '] as $blank) {
            $set = $this->written(\array_fill_keys($names[1], $blank));
            foreach (['driver', 'environment', 'binary', 'unknown', 'notify.slack.url', 'routes.health', 'routes.metrics', 'routes.token'] as $key) {
                self::assertNull($set->text($key), "$key: \"$blank\"");
                self::assertNull($unset->text($key), $key);
            }
            self::assertSame($this->app->storagePath() . '/flagstone', $set->store($this->app));
            self::assertSame($unset->store($this->app), $set->store($this->app));
        }
    }

    /** @return iterable<string, array{string}> */
    public static function blanks(): iterable
    {
        foreach (['driver', 'environment', 'unknown', 'subject', 'share', 'file', 'middleware.alias', 'middleware.after', 'routes.middleware', 'notify.mail.to', 'notify.mail.actions'] as $key) {
            yield $key => [$key];
        }
    }

    /** @dataProvider blanks */
    #[\PHPUnit\Framework\Attributes\DataProvider('blanks')]
    public function test_a_blank_setting_changes_nothing(string $key): void
    {
        // In the testing environment no driver is the file's.
        $this->app->detectEnvironment(static fn (): string => 'local');
        foreach (['', '  ', ['']] as $blank) {
            if (\is_array($blank) && !\in_array($key, ['subject', 'share', 'middleware.after', 'routes.middleware', 'notify.mail.to', 'notify.mail.actions'], true)) {
                continue;
            }
            $this->setting($key, $blank);
            self::assertTrue($this->app->make(Flagstone::class)->enabled('portal'));
            $this->actingAs($this->user(15));
            self::assertSame(15, $this->app->make(Flagstone::class)->subject()->company);
            self::assertSame(['events'], \array_column($this->app->make(Endpoints::class)->all(), 'name'));
            self::assertSame(0, $this->artisanCode('feature:list'), $this->printed);
            $this->artisanCode('feature:doctor');
            self::assertStringNotContainsString('config/flagstone.php', $this->printed);
        }
    }

    public function test_true_and_false_are_no_texts(): void
    {
        // FLAGSTONE_MONITORING_TOKEN=true made "1" the token, and FLAGSTONE_STORE=true the store "1".
        \preg_match_all("/env\\('(FLAGSTONE_\\w+)'/", (string) \file_get_contents(__DIR__ . '/../config/flagstone.php'), $names);
        foreach (['true' => true, '(false)' => false] as $word => $read) {
            $set = $this->written(\array_fill_keys($names[1], $word));
            $keys = ['driver', 'store', 'environment', 'binary', 'unknown', 'notify.slack.url', 'routes.health', 'routes.metrics', 'routes.token'];
            self::assertCount(\count($keys), $names[1]);
            foreach ($keys as $key) {
                try {
                    self::fail("$key is " . $set->text($key));
                } catch (InvalidSetting $problem) {
                    self::assertStringContainsString("config/flagstone.php: $key is " . \var_export($read, true) . ', expected a text or null', $problem->getMessage());
                }
            }
        }
    }

    public function test_a_monitoring_token_that_is_none_is_said_and_ends_no_page(): void
    {
        foreach ([[true, 'routes.token is true, expected a text'], [null, 'not served, since everybody could read it'], ['', 'not served']] as [$token, $text]) {
            $this->setting('routes', ['health' => 'flagstone/health', 'token' => $token]);
            (new OwnRoutes())->register($this->app);
            self::assertNull($this->app->make('router')->getRoutes()->getByName('flagstone.health'));
            self::assertSame(0, $this->artisanCode('feature:settings'));
            self::assertMatchesRegularExpression('/^warning +.*' . \preg_quote($text, '/') . '/m', $this->printed);
            self::assertSame(1, $this->artisanCode('feature:doctor'));
            self::assertMatchesRegularExpression('/^problem  routes +.*' . \preg_quote($text, '/') . '/m', $this->printed);
        }
    }

    /** @return iterable<string, array{string}> */
    public static function mistakes(): iterable
    {
        foreach (['driver', 'store', 'environment', 'file', 'overlay', 'binary', 'companies', 'subject', 'share', 'unknown', 'middleware.alias', 'middleware.after',
            'notify.mail.to', 'notify.slack.url', 'routes.health', 'routes.token', 'routes.middleware', 'pennant.scopes', 'pennant.fallback'] as $key) {
            yield $key => [$key];
        }
    }

    /**
     * FLAGSTONE_STORE=false ended every page, every command and the queue's workers of an application in production.
     *
     * @dataProvider mistakes
     */
    #[\PHPUnit\Framework\Attributes\DataProvider('mistakes')]
    public function test_no_setting_ends_what_asks_for_no_flag_in_production(string $key): void
    {
        $own = $this->store;
        foreach ([null, 'file'] as $driver) {
            foreach ([true, [[1]]] as $value) {
                $this->boot('production', ['store' => $own, 'driver' => $driver], $key, $value);
                Route::get('/page', static fn (): string => 'page');
                self::assertSame('page', $this->get('/page')->getContent());
                self::assertSame(0, $this->artisanCode('env'), $this->printed);
            }
        }
    }

    public function test_a_setting_that_is_none_is_reported_and_named_by_the_commands(): void
    {
        foreach (['store', 'driver'] as $key) {
            $this->boot('production', [], $key, false);
            $expected = "config/flagstone.php: $key is false, expected a text or null; Laravel reads the words true and false of .env";
            self::assertStringContainsString($expected, (string) \file_get_contents($this->app->storagePath() . '/logs/laravel.log'));
            self::assertSame(1, $this->artisanCode('feature:doctor'));
            self::assertMatchesRegularExpression("/^problem  $key +" . \preg_quote($expected, '/') . '/m', $this->printed);
            self::assertSame(1, \substr_count($this->printed, $expected));
            self::assertSame(2, $this->artisanCode('feature:kill portal --reason=test'));
            self::assertStringContainsString($expected, $this->printed);
            self::assertStringContainsString('NOTHING WAS STOPPED', $this->printed);
            try {
                $this->app->make(Flagstone::class)->enabled('portal');
                self::fail($key);
            } catch (InvalidSetting $problem) {
                self::assertStringContainsString($expected, $problem->getMessage());
            }
            try {
                $this->boot('local', [], $key, false);
                self::fail($key);
            } catch (InvalidSetting $problem) {
                self::assertStringContainsString($expected, $problem->getMessage());
            }
        }
    }

    /** @param array<string, mixed> $settings */
    private function boot(string $environment, array $settings, string $key, mixed $value): void
    {
        @\unlink(self::warnings());
        $this->app = Skeleton::boot(static function (Application $app) use ($environment, $settings, $key, $value): void {
            $app->detectEnvironment(static fn (): string => $environment);
            $app->make('config')->set('flagstone', $settings + (array) require __DIR__ . '/../config/flagstone.php');
            $app->make('config')->set("flagstone.$key", $value);
        });
        Facade::clearResolvedInstances();
    }

    /** The doctor said that there is no such store, and the name looked right. */
    public function test_a_blank_at_the_end_of_a_name_is_pointed_at(): void
    {
        foreach (['store' => "$this->store ", 'environment' => ' production'] as $key => $value) {
            $this->setting($key, $value);
            self::assertSame(1, $this->artisanCode('feature:doctor'));
            self::assertStringContainsString("config/flagstone.php: $key is \"$value\", with a blank at its beginning or end", $this->printed);
            $this->setting($key, \trim($value));
        }
        $this->artisanCode('feature:doctor');
        self::assertStringNotContainsString('blank', $this->printed);
    }

    public function test_a_blank_word_for_unknown_flags_throws_in_testing(): void
    {
        $this->setting('unknown', '');
        $this->expectException(UnknownFlag::class);
        $this->app->make(Flagstone::class)->enabled('protal');
    }

    public function test_an_unknown_word_is_an_error_that_names_the_known_ones(): void
    {
        $words = [
            'driver' => ['nativ', 'native, store, file'], 'unknown' => ['thrw', 'throw, log'], 'subject' => ['usr:company_id', 'user:ATTRIBUTE, tenancy'],
            'notify.mail.actions' => [['kil'], 'kill, revive'],
        ];
        foreach ($words as $key => [$word, $known]) {
            $this->setting('notify.mail.to', ['a@example.com']);
            $this->setting($key, $word);
            self::assertSame(1, $this->artisanCode('feature:doctor'));
            self::assertMatchesRegularExpression('/^problem  \w+ +config\/flagstone.php: .*' . \preg_quote($known, '/') . '/m', $this->printed, $key);
            if ($key === 'driver') {
                self::assertSame(2, $this->artisanCode('feature:list'), $this->printed);
                self::assertStringContainsString($known, $this->printed);
            }
            $this->setting($key, null);
        }
        $this->expectException(InvalidSetting::class);
        $this->setting('unknown', 'thrw');
        $this->app->make(Flagstone::class)->enabled('protal');
    }

    public function test_the_command_is_found_where_it_is_installed_whatever_path_says(): void
    {
        // Cron's PATH is /usr/bin:/bin.
        $folder = Store::unused('bin');
        \mkdir($folder);
        \symlink((string) \getenv('FLAGSTONE_BIN'), "$folder/flagstone");
        $path = \getenv('PATH');
        try {
            foreach (['/usr/bin:/bin', '', '.'] as $bare) {
                \putenv("PATH=$bare");
                self::assertSame("$folder/flagstone", (new Binary(null, [$folder]))->path());
                self::assertSame("$folder/flagstone", (new Binary('', [$folder]))->path());
            }
        } finally {
            \putenv("PATH=$path");
        }
        self::assertContains('/usr/local/bin', (new \ReflectionClassConstant(Binary::class, 'INSTALLED'))->getValue());
    }

    public function test_input_and_both_outputs_pass_whatever_their_length(): void
    {
        $script = Store::unused('talks');
        \file_put_contents($script, "#!/bin/sh\nwc -c\nhead -c 300000 /dev/zero | tr '\\0' e >&2\nhead -c 300000 /dev/zero | tr '\\0' o\n");
        \chmod($script, 0755);
        $input = \fopen('php://temp', 'w+');
        \fwrite($input, \str_repeat("15\n", 200_000));
        \rewind($input);
        $result = (new Binary($script))->run([], $input);
        self::assertSame([0, 300_000], [$result->code, \strlen($result->error)]);
        self::assertStringStartsWith("600000\no", $result->text);
        // One that reads nothing of it.
        \file_put_contents($script, "#!/bin/sh\nexec 0<&-\nsleep 0.1\necho done\n");
        \rewind($input);
        self::assertSame('done', (new Binary($script))->run([], $input)->text);
    }

    public function test_an_exit_code_that_is_lost_is_said(): void
    {
        // Where SIGCHLD is ignored a change was neither done nor failed, without a word.
        $sources = \dirname(__DIR__) . '/src/Changes';
        $code = 'require "$argv[1]/Result.php"; require "$argv[1]/Binary.php";
            $ran = (new Flagstone\Laravel\Changes\Binary($argv[2]))->run(["--version"]); echo $ran->code, $ran->text, $ran->error;';
        foreach (['sys_temp_dir=', "open_basedir=$sources"] as $setting) {
            $words = ['env', '--ignore-signal=CHLD', \PHP_BINARY, '-n', '-d', $setting, '-r', $code, $sources, (string) \getenv('FLAGSTONE_BIN')];
            $printed = (string) \shell_exec(\implode(' ', \array_map(escapeshellarg(...), $words)) . ' 2>&1');
            self::assertMatchesRegularExpression('/^2flagstone \S+cannot tell what came of it: .* SIGCHLD/', $printed, $setting);
        }
    }

    public function test_a_flag_is_killed_without_a_directory_for_temporary_files_and_under_open_basedir(): void
    {
        $binary = \realpath((string) \getenv('FLAGSTONE_BIN'));
        $script = Store::unused('kill.php');
        $sources = \dirname(__DIR__) . '/src/Changes';
        \file_put_contents($script, "<?php require '$sources/Result.php'; require '$sources/Binary.php';
            \$binary = new Flagstone\\Laravel\\Changes\\Binary(\$argv[1] ?: null, [\\dirname('$binary')]);
            \$result = \$binary->run([\$argv[2], '--store=$this->store', '--reason=x', 'portal']);
            echo \$result->code, ' ', \$result->error;");
        $basedir = Store::directory() . ':' . $sources;
        foreach ([['sys_temp_dir=/nonexistent', $binary], ["open_basedir=$basedir", $binary], ["open_basedir=$basedir", '']] as [$setting, $configured]) {
            foreach (['kill' => true, 'revive' => false] as $command => $isKilled) {
                $said = (string) \shell_exec(\implode(' ', \array_map(escapeshellarg(...), [\PHP_BINARY, '-n', '-d', $setting, $script, $configured, $command])) . ' 2>&1');
                self::assertSame('0 ', $said, "$setting $configured");
                $killed = (new Binary($binary))->run(['status', "--store=$this->store"])->text;
                self::assertSame($isKilled, \preg_match('/killed +portal/', $killed) === 1, $killed);
            }
        }
    }

    /** @return iterable<string, array{string}> */
    public static function drivers(): iterable
    {
        foreach (['', 'store', 'file'] as $driver) {
            yield $driver === '' ? 'none' : $driver => [$driver];
        }
    }

    /** @dataProvider drivers */
    #[\PHPUnit\Framework\Attributes\DataProvider('drivers')]
    public function test_what_open_basedir_keeps_out_is_off_and_no_error(string $driver): void
    {
        // is_file() of such a path is a warning, which Laravel makes an exception: each page ended with 500.
        $basedir = \implode(':', [\dirname(__DIR__, 2), Store::directory(), ...\explode(\PATH_SEPARATOR, \get_include_path()), '/usr/share', '/usr/lib']);
        $command = [\PHP_BINARY, '-d', "open_basedir=$basedir", '-d', 'sys_temp_dir=' . Store::directory(), __DIR__ . '/Support/outside.php'];
        $said = (string) \shell_exec("OUTSIDE_DRIVER=$driver " . \implode(' ', \array_map(escapeshellarg(...), $command)) . ' 2>&1');
        $came = \json_decode($said, true);
        self::assertIsArray($came, $said);
        self::assertSame([false, 'none'], [$came['question'], $came['source']], $said);
        foreach ($came as $line => $code) {
            self::assertContains($code, [0, 1, 2, false, 'none'], "$line: $said");
        }
    }

    public function test_a_list_of_companies_that_fails_stops_no_change(): void
    {
        $this->setting('companies', static fn () => throw new \ErrorException('No space left on device'));
        (new ChangeServices())->register($this->app);
        self::assertSame(0, $this->artisanCode('feature:disable portal --yes'), $this->printed);
        self::assertStringContainsString('No space left on device', $this->printed);
        self::assertFalse($this->app->make(Flagstone::class)->enabled('portal'));
    }

    /** @param array<string, string> $environment */
    private function written(array $environment): Config
    {
        $repository = \Illuminate\Support\Env::getRepository();
        foreach ($environment as $name => $value) {
            $repository->set($name, $value);
        }
        try {
            return new Config(require __DIR__ . '/../config/flagstone.php');
        } finally {
            foreach ($environment as $name => $value) {
                $repository->clear($name);
            }
        }
    }

    private function setting(string $key, mixed $value): void
    {
        $this->app->make('config')->set("flagstone.$key", $value);
        foreach ([Drivers::class, Flagstone::class, 'flagstone', Subjects::class, Changer::class] as $made) {
            $this->app->forgetInstance($made);
        }
        if ($key === 'file') {
            (new ChangeServices())->register($this->app);
        }
        \Flagstone\Laravel\Facades\Flagstone::clearResolvedInstances();
    }
}
