<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

/**
 * Taking over what teams have: nobody's answer may change.
 */
final class ImportTest extends TestCase
{
    use Artisan;

    private string $folder;

    protected function configure(Application $app): void
    {
        $this->ownStore($app, []);
        $this->folder = Store::directory() . '/import-' . \bin2hex(\random_bytes(6));
        \mkdir($this->folder);
        $app->make('config')->set('flagstone.file', "$this->folder/flags.json");
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->app->useEnvironmentPath($this->folder);
    }

    protected function tearDown(): void
    {
        foreach (\array_keys(\getenv()) as $name) {
            if (\str_starts_with($name, 'FEATURE_')) {
                \putenv($name);
            }
        }
        parent::tearDown();
    }

    private function dotenv(string $text): void
    {
        \file_put_contents("$this->folder/.env", $text);
    }

    /** @return array<string, mixed> */
    private function flags(): array
    {
        return \json_decode((string) \file_get_contents("$this->folder/flags.json"), true)['flags'];
    }

    public function test_switches_and_pilots_come_from_dotenv(): void
    {
        $this->dotenv(<<<'ENV'
            APP_NAME=Shop
            FEATURE_CUSTOMER_PORTAL=true
            FEATURE_CUSTOMER_PORTAL_TEST_COMPANIES="15, 42,103,42"
            FEATURE_DARK_MODE="true"
            FEATURE_OLD=false
            FEATURE_WAITS=0
            FEATURE_WAITS_PILOT_COMPANIES=acme,007
            ENV);
        self::assertSame(0, $this->artisanCode('feature:import env'), $this->printed);
        self::assertSame([
            'customer_portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 42, 103]]],
            'dark_mode' => ['enabled' => true],
            'old' => ['enabled' => false],
            'waits' => ['enabled' => false, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => ['acme', '007']]],
        ], $this->flags());
        self::assertStringContainsString('on for these only; with --lists=also', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => "$this->folder/flags.json"]), $this->printed);

        // The same again changes nothing.
        self::assertSame(0, $this->artisanCode('feature:import env --json'));
        self::assertSame([false], \array_unique(\array_column(\json_decode($this->printed, true)['rows'], 'changes')));
    }

    public function test_a_list_may_let_in_besides_the_switch(): void
    {
        $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=1\nFEATURE_B=false\nFEATURE_B_TEST_COMPANIES=1\n");
        self::assertSame(0, $this->artisanCode('feature:import env --lists=also'));
        self::assertSame([
            'a' => ['enabled' => true, 'rollout' => ['percentage' => 100], 'companies' => ['allow' => [1]]],
            'b' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [1]]],
        ], $this->flags());
        self::assertSame(1, $this->artisanCode('feature:import env --lists=never'));
    }

    public function test_the_environment_wins_over_dotenv_and_that_over_the_file(): void
    {
        \file_put_contents("$this->folder/flags.json", '{"flags": {
            "a": {"enabled": true, "owner": "team", "rollout": {"percentage": 10, "salt": "s"}, "companies": {"deny": [9]}},
            "b-two": false, "c": true}}');
        $this->dotenv("FEATURE_A=false\nFEATURE_B_TWO=true\n");
        \putenv('FEATURE_A=true');
        self::assertSame(1, $this->artisanCode('feature:import env'));
        self::assertStringContainsString('would change: a, b-two', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:import env --force'));
        self::assertSame([
            'a' => [
                'enabled' => true, 'owner' => 'team', 'rollout' => ['percentage' => 100, 'salt' => 's'],
                'companies' => ['deny' => [9]],
            ],
            'b-two' => ['enabled' => true],
            'c' => true,
        ], $this->flags());
        self::assertStringContainsString('environment', $this->printed);
    }

    public function test_what_another_dotenv_says_is_not_mixed_with_what_laravel_loaded(): void
    {
        $this->dotenv("FEATURE_A=true\n");
        \putenv('FEATURE_A=true');
        \file_put_contents("$this->folder/.env.staging", "FEATURE_A=false\n");
        self::assertSame(0, $this->artisanCode('feature:import', ['source' => 'env', '--dotenv' => "$this->folder/.env.staging"]));
        self::assertSame(['a' => ['enabled' => false]], $this->flags());
    }

    public function test_what_is_neither_true_nor_false_is_refused(): void
    {
        // For PHP "off" is true: old code had it on.
        $this->dotenv("FEATURE_A=off\nFEATURE_A_TEST_COMPANIES=1\nFEATURE_B=true\n");
        self::assertSame(1, $this->artisanCode('feature:import env'));
        self::assertStringContainsString('FEATURE_A is "off", expected true or false (1)', $this->printed);
        self::assertFileDoesNotExist("$this->folder/flags.json");
        self::assertSame(0, $this->artisanCode('feature:import env --skip'));
        self::assertSame(['b' => ['enabled' => true]], $this->flags());
    }

    public function test_a_dry_run_shows_a_table_and_json_and_writes_nothing(): void
    {
        $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=1\n");
        self::assertSame(0, $this->artisanCode('feature:import env --dry-run'));
        self::assertMatchesRegularExpression('/\| a +\| \.env +\| new +\| 0 % \+ 1 company/', $this->printed);
        self::assertStringContainsString('"companies": { "allow": [1] }', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:import env --dry-run --json'));
        $data = \json_decode($this->printed, true);
        self::assertSame([1], $data['flags']['a']['companies']['allow']);
        self::assertFalse($data['written']);
        self::assertFileDoesNotExist("$this->folder/flags.json");
    }

    public function test_config_features_comes_with_its_percentages(): void
    {
        $this->app->make('config')->set('features', [
            'a' => true,
            'a_test_companies' => '1,2',
            'b' => ['enabled' => true, 'rollout_percentage' => '25', 'companies' => [7]],
            'c' => 0,
            'd' => ['enabled' => true, 'colour' => 'red'],
            'e' => ['percentage' => 101],
        ]);
        self::assertSame(1, $this->artisanCode('feature:import config'));
        self::assertStringContainsString('features.d.colour is unknown', $this->printed);
        self::assertStringContainsString('features.e: percentage is 101, expected a number from 0 to 100', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:import config --skip'));
        self::assertSame([
            'a' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [1, 2]]],
            'b' => ['enabled' => true, 'rollout' => ['percentage' => 25, 'bucketing' => 'crc32'], 'companies' => ['allow' => [7]]],
            'c' => ['enabled' => false],
        ], $this->flags());
        $this->app->make('config')->set('features', null);
        self::assertSame(2, $this->artisanCode('feature:import config'));
    }

    /** The service by hand: an override decides, then the switch, then the percentage. */
    private static function byHand(int|string $company, bool $on, int $percentage, array $overrides): bool
    {
        return $overrides[$company] ?? ($on && \crc32((string) $company) % 100 < $percentage);
    }

    public function test_nobody_of_100_000_companies_gets_another_answer_than_from_the_tables(): void
    {
        Schema::create('feature_flags', static function (Blueprint $table): void {
            $table->id();
            $table->string('name');
            $table->boolean('is_enabled');
            $table->integer('rollout_percentage')->nullable();
            $table->timestamps();
        });
        Schema::create('feature_flag_overrides', static function (Blueprint $table): void {
            $table->id();
            $table->foreignId('feature_flag_id');
            $table->string('company_id');
            $table->boolean('enabled');
        });
        $flags = [
            'none' => [true, 0], 'one' => [true, 1], 'tenth' => [true, 10], 'third' => [true, 33], 'half' => [true, 50],
            'nearly' => [true, 99], 'all' => [true, 100], 'off' => [false, 60],
        ];
        $overrides = ['tenth' => [3 => true, 5 => false, 99_999 => true], 'off' => [8 => true, 'acme' => true, 9 => false]];
        foreach ($flags as $name => [$on, $percentage]) {
            $id = DB::table('feature_flags')->insertGetId([
                'name' => $name, 'is_enabled' => $on, 'rollout_percentage' => $percentage, 'created_at' => '2025-01-01',
            ]);
            foreach ($overrides[$name] ?? [] as $company => $enabled) {
                DB::table('feature_flag_overrides')
                    ->insert(['feature_flag_id' => $id, 'company_id' => (string) $company, 'enabled' => $enabled]);
            }
        }
        self::assertSame(0, $this->artisanCode('feature:import tables'), $this->printed);
        self::assertStringContainsString('off but for its overrides: on at 0 % (the table has 60 %)', $this->printed);
        self::assertSame('crc32', $this->flags()['tenth']['rollout']['bucketing']);
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => "$this->folder/flags.json"]), $this->printed);

        $companies = [...\range(1, 99_000), ...\array_map(static fn (int $n): string => "tenant-$n", \range(1, 998)), 99_999, 'acme'];
        self::assertCount(100_000, $companies);
        $driver = $this->app->make('flagstone')->driver();
        foreach ($flags as $name => [$on, $percentage]) {
            $expected = \array_filter($companies, static fn (int|string $company): bool =>
                self::byHand($company, $on, $percentage, $overrides[$name] ?? []));
            self::assertSame($expected, $driver->filter($name, $companies), $name);
        }
    }

    public function test_tables_that_say_more_than_is_understood_are_refused(): void
    {
        self::assertSame(2, $this->artisanCode('feature:import tables'));
        self::assertStringContainsString('there is no table feature_flags', $this->printed);
        Schema::create('feature_flags', static function (Blueprint $table): void {
            $table->string('key');
            $table->boolean('enabled');
            $table->string('environment')->nullable();
        });
        DB::table('feature_flags')->insert([['key' => 'a', 'enabled' => 1, 'environment' => null]]);
        self::assertSame(0, $this->artisanCode('feature:import tables'));
        self::assertSame(['a' => ['enabled' => true]], $this->flags());
        DB::table('feature_flags')->insert([['key' => 'b', 'enabled' => 1, 'environment' => 'staging']]);
        self::assertSame(1, $this->artisanCode('feature:import tables'));
        self::assertStringContainsString('feature_flags.environment holds something that is not understood', $this->printed);
        Schema::create('feature_flag_overrides', static function (Blueprint $table): void {
            $table->string('flag_key');
            $table->string('company_id');
            $table->boolean('enabled');
        });
        DB::table('feature_flag_overrides')->insert([
            ['flag_key' => 'a', 'company_id' => '1', 'enabled' => 1],
            ['flag_key' => 'a', 'company_id' => '1', 'enabled' => 0],
            ['flag_key' => 'gone', 'company_id' => '1', 'enabled' => 0],
        ]);
        self::assertSame(1, $this->artisanCode('feature:import tables'));
        self::assertStringContainsString('3 cannot be taken over', $this->printed);
        Schema::drop('feature_flags');
        Schema::create('feature_flags', static fn (Blueprint $table) => $table->string('key'));
        self::assertSame(2, $this->artisanCode('feature:import tables'));
        self::assertStringContainsString('found the columns key, expected one of enabled', $this->printed);
    }

    public function test_pennants_companies_come_over_and_other_scopes_are_counted(): void
    {
        Schema::create('features', static function (Blueprint $table): void {
            $table->id();
            $table->string('name');
            $table->string('scope');
            $table->text('value');
            $table->timestamps();
        });
        $row = static fn (string $name, string $scope, string $value): array => ['name' => $name, 'scope' => $scope, 'value' => $value];
        DB::table('features')->insert([
            $row('portal', 'App\Models\Company|15', 'true'),
            $row('portal', 'App\Models\Company|16', 'false'),
            $row('portal', 'App\Models\Company|acme|eu', 'true'),
            $row('dark', '__laravel_null', 'true'),
            $row('dark', 'company|7', 'false'),
            $row('App\Features\NewEditor', 'App\Models\Company|1', 'true'),
        ]);
        self::assertSame(0, $this->artisanCode('feature:import pennant --skip'), $this->printed);
        self::assertStringContainsString('scopes that are no company: App\Models\Company|acme (1)', $this->printed);
        self::assertSame([
            'App\Features\NewEditor' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [1]]],
            'dark' => ['enabled' => true, 'rollout' => ['percentage' => 100], 'companies' => ['deny' => [7]]],
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15], 'deny' => [16]]],
        ], $this->flags());

        DB::table('features')->insert([
            $row('portal', 'App\Models\User|15', 'true'),
            $row('portal', 'App\Models\User|16', 'true'),
            $row('portal', '17', 'true'),
            $row('theme', 'App\Models\Company|15', '"blue"'),
        ]);
        \unlink("$this->folder/flags.json");
        self::assertSame(1, $this->artisanCode('feature:import pennant'));
        self::assertStringContainsString('scopes that are no company: App\Models\User (2)', $this->printed);
        self::assertStringContainsString('scopes that are no company: text or numbers (1)', $this->printed);
        self::assertStringContainsString('theme: values other than true and false (1)', $this->printed);
        self::assertStringContainsString('5 cannot be taken over; nothing was written', $this->printed);
        self::assertFileDoesNotExist("$this->folder/flags.json");
        self::assertSame(1, $this->artisanCode('feature:import', ['source' => 'pennant', '--company-class' => ['App\Models\User']]));
        self::assertStringContainsString('scopes that are no company: App\Models\Company (3)', $this->printed);

        // As config/flagstone.php says what a scope is.
        $scopes = ['App\Models\Firm' => 'company', 'App\Models\User' => 'user:company_id', 'int' => 'company'];
        $this->app->make('config')->set('flagstone.pennant.scopes', $scopes);
        self::assertSame(1, $this->artisanCode('feature:import pennant'));
        self::assertStringContainsString('App\Models\User (2)', $this->printed);
        self::assertStringNotContainsString('text or numbers', $this->printed);
    }

    public function test_a_result_with_errors_is_not_written(): void
    {
        $this->app->make('config')->set('features', ['not a key' => true]);
        self::assertSame(2, $this->artisanCode('feature:import config'));
        self::assertStringContainsString('nothing was written', $this->printed);
        self::assertFileDoesNotExist("$this->folder/flags.json");
        self::assertSame([], \glob("$this->folder/.flags*"));
        self::assertNotNull($this->app->make(Binary::class)->path());
    }
}
