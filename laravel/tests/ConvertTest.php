<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\CompanyText;
use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

/**
 * Taking over what teams have: nobody's answer may change.
 */
final class ConvertTest extends TestCase
{
    use Artisan;

    private string $folder;

    protected function configure(Application $app): void
    {
        $this->ownStore($app, []);
        $this->folder = Store::unused('import');
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
        self::assertSame(0, $this->artisanCode('feature:convert env'), $this->printed);
        self::assertSame([
            'customer_portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 42, 103]]],
            'dark_mode' => ['enabled' => true],
            'old' => ['enabled' => false],
            'waits' => ['enabled' => false, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => ['acme', '007']]],
        ], $this->flags());
        self::assertStringContainsString('on for these only; with --lists=also', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => "$this->folder/flags.json"]), $this->printed);

        // The same again changes nothing.
        self::assertSame(0, $this->artisanCode('feature:convert env --json'));
        self::assertSame([false], \array_unique(\array_column(\json_decode($this->printed, true)['rows'], 'changes')));
    }

    public function test_a_list_may_let_in_besides_the_switch(): void
    {
        $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=1\nFEATURE_B=false\nFEATURE_B_TEST_COMPANIES=1\n");
        self::assertSame(0, $this->artisanCode('feature:convert env --lists=also'));
        self::assertSame([
            'a' => ['enabled' => true, 'rollout' => ['percentage' => 100], 'companies' => ['allow' => [1]]],
            'b' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [1]]],
        ], $this->flags());
        self::assertSame(1, $this->artisanCode('feature:convert env --lists=never'));
    }

    public function test_the_environment_wins_over_dotenv_and_that_over_the_file(): void
    {
        \file_put_contents("$this->folder/flags.json", '{"flags": {
            "a": {"enabled": true, "owner": "team", "rollout": {"percentage": 10, "salt": "s"}, "companies": {"deny": [9]}},
            "b-two": false, "c": true}}');
        $this->dotenv("FEATURE_A=false\nFEATURE_B_TWO=true\n");
        \putenv('FEATURE_A=true');
        self::assertSame(1, $this->artisanCode('feature:convert env'));
        self::assertStringContainsString('would change: a, b-two', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:convert env --force'));
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
        self::assertSame(0, $this->artisanCode('feature:convert', ['source' => 'env', '--dotenv' => "$this->folder/.env.staging"]));
        self::assertSame(['a' => ['enabled' => false]], $this->flags());
    }

    public function test_what_is_neither_true_nor_false_is_refused(): void
    {
        // For PHP "off" is true: old code had it on.
        $this->dotenv("FEATURE_A=off\nFEATURE_A_TEST_COMPANIES=1\nFEATURE_B=true\n");
        self::assertSame(1, $this->artisanCode('feature:convert env'));
        self::assertStringContainsString('FEATURE_A is "off", expected true or false (1)', $this->printed);
        self::assertFileDoesNotExist("$this->folder/flags.json");
        self::assertSame(0, $this->artisanCode('feature:convert env --skip'));
        self::assertSame(['b' => ['enabled' => true]], $this->flags());
    }

    public function test_a_dry_run_shows_a_table_and_json_and_writes_nothing(): void
    {
        $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=1\n");
        self::assertSame(0, $this->artisanCode('feature:convert env --dry-run'));
        self::assertMatchesRegularExpression('/\| a +\| \.env +\| new +\| 0 % \+ 1 company/', $this->printed);
        self::assertStringContainsString('"companies": { "allow": [1] }', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:convert env --dry-run --json'));
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
        self::assertSame(1, $this->artisanCode('feature:convert config'));
        self::assertStringContainsString('features.d.colour is unknown', $this->printed);
        self::assertStringContainsString('features.e: percentage is 101, expected a number from 0 to 100', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:convert config --skip'));
        self::assertSame([
            'a' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [1, 2]]],
            'b' => ['enabled' => true, 'rollout' => ['percentage' => 25, 'bucketing' => 'crc32'], 'companies' => ['allow' => [7]]],
            'c' => ['enabled' => false],
        ], $this->flags());
        $this->app->make('config')->set('features', null);
        self::assertSame(2, $this->artisanCode('feature:convert config'));
    }

    public function test_a_list_besides_a_switch_that_is_off_lets_in_nobody_else(): void
    {
        // The percentage was put back over the list's: on for everybody, though the switch is off.
        $off = ['enabled' => false, 'percentage' => 100, 'companies' => [15]];
        \config(['features' => ['off' => $off, 'on' => ['enabled' => true, 'percentage' => 25] + $off, 'none' => ['companies' => []] + $off, 'text' => ['companies' => '015'] + $off]]);
        self::assertSame(0, $this->artisanCode('feature:convert config --lists=also --json'), $this->printed);
        $rows = \json_decode($this->printed, true)['rows'];
        self::assertSame(['0 % + 1 company', '25 % + 1 company', 'off', '0 % + 1 company'], \array_column($rows, 'becomes'));
        self::assertContains('the list lets companies in besides the switch, which is off: on at 0 %', $rows[0]['notes']);
        self::assertContains('015 is a text, and not the company 15', $rows[3]['notes']);
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => "$this->folder/flags.json"]), $this->printed);
        self::assertSame([15], \array_values($this->app->make('flagstone')->filter('off', \range(1, 200))));

        self::assertSame(0, $this->artisanCode('feature:convert config --force --json'), $this->printed);
        $rows = \json_decode($this->printed, true)['rows'];
        self::assertSame(['off', '25 % + 1 company', 'off', 'off'], \array_column($rows, 'becomes'));
        self::assertContains('off; the list waits for it. With --lists=also these would be in', $rows[0]['notes']);
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
        self::assertSame(0, $this->artisanCode('feature:convert tables'), $this->printed);
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
        self::assertSame(2, $this->artisanCode('feature:convert tables'));
        self::assertStringContainsString('there is no table feature_flags', $this->printed);
        Schema::create('feature_flags', static function (Blueprint $table): void {
            $table->string('key');
            $table->boolean('enabled');
            $table->string('environment')->nullable();
        });
        DB::table('feature_flags')->insert([['key' => 'a', 'enabled' => 1, 'environment' => null]]);
        self::assertSame(0, $this->artisanCode('feature:convert tables'));
        self::assertSame(['a' => ['enabled' => true]], $this->flags());
        DB::table('feature_flags')->insert([['key' => 'b', 'enabled' => 1, 'environment' => 'staging']]);
        self::assertSame(1, $this->artisanCode('feature:convert tables'));
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
        self::assertSame(1, $this->artisanCode('feature:convert tables'));
        self::assertStringContainsString('3 cannot be taken over', $this->printed);
        Schema::drop('feature_flags');
        Schema::create('feature_flags', static fn (Blueprint $table) => $table->string('key'));
        self::assertSame(2, $this->artisanCode('feature:convert tables'));
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
        self::assertSame(0, $this->artisanCode('feature:convert pennant --skip'), $this->printed);
        self::assertStringContainsString('portal: scopes that are no company: App\Models\Company|acme (1)', $this->printed);
        self::assertSame([
            'App\Features\NewEditor' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [1]]],
            // A guest's stored value is nobody else's.
            'dark' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['deny' => [7]]],
        ], $this->flags());
        // Half a flag was imported: without the scope that was not understood.
        DB::table('features')->where('scope', 'App\Models\Company|acme|eu')->delete();
        self::assertSame(0, $this->artisanCode('feature:convert pennant'), $this->printed);
        self::assertSame(['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15], 'deny' => [16]]], $this->flags()['portal']);

        DB::table('features')->insert([
            $row('portal', 'App\Models\User|15', 'true'),
            $row('portal', 'App\Models\User|16', 'true'),
            $row('portal', '17', 'true'),
            $row('theme', 'App\Models\Company|15', '"blue"'),
        ]);
        \unlink("$this->folder/flags.json");
        self::assertSame(1, $this->artisanCode('feature:convert pennant'));
        self::assertStringContainsString('portal: scopes that are no company: App\Models\User (2)', $this->printed);
        self::assertStringContainsString('scopes that are no company: text or numbers (1)', $this->printed);
        self::assertStringContainsString('theme: values other than true and false (1)', $this->printed);
        self::assertStringContainsString('4 cannot be taken over; nothing was written', $this->printed);
        self::assertFileDoesNotExist("$this->folder/flags.json");
        self::assertSame(1, $this->artisanCode('feature:convert', ['source' => 'pennant', '--company-class' => ['App\Models\User']]));
        self::assertStringContainsString('portal: scopes that are no company: App\Models\Company (2)', $this->printed);

        // As config/flagstone.php says what a scope is.
        $scopes = ['App\Models\Firm' => 'company', 'App\Models\User' => 'user:company_id', 'int' => 'company'];
        $this->app->make('config')->set('flagstone.pennant.scopes', $scopes);
        self::assertSame(1, $this->artisanCode('feature:convert pennant'));
        self::assertStringContainsString('App\Models\User (2)', $this->printed);
        self::assertStringNotContainsString('text or numbers', $this->printed);
    }

    public function test_a_flag_that_the_command_refuses_is_named_by_its_origin(): void
    {
        // It was named by a line of a file that the command itself had made, and --skip left nothing out.
        $this->app->make('config')->set('features', ['not a key' => true]);
        self::assertSame(1, $this->artisanCode('feature:convert config'));
        self::assertStringContainsString('nothing was written', $this->printed);
        self::assertStringContainsString('not taken over: not a key of config/features.php: ', $this->printed);
        self::assertDoesNotMatchRegularExpression('/flags\.json|input:|:\d+:/', $this->printed);
        self::assertFileDoesNotExist("$this->folder/flags.json");
        self::assertSame([], \glob("$this->folder/.flags*"));
        self::assertNotNull($this->app->make(Binary::class)->path());
    }

    public function test_what_is_left_out_is_named_with_the_line_of_dotenv(): void
    {
        // Nothing said where it was.
        $this->dotenv("APP_NAME=Shop\nFEATURE_A=off\n\nFEATURE_1=true\nexport FEATURE_B=true\nFEATURE_C_TEST_COMPANIES=1;2\n");
        self::assertSame(1, $this->artisanCode('feature:convert env --dry-run'));
        $long = \str_repeat('X', 300);
        $this->dotenv("APP_NAME=Shop\nFEATURE_A=off\n\nFEATURE_$long=true\nexport FEATURE_B=true\nFEATURE_C_TEST_COMPANIES=1;2\n");
        self::assertSame(0, $this->artisanCode('feature:convert env --skip'), $this->printed);
        foreach (['.env:2: FEATURE_A is "off"', ".env:4: FEATURE_$long: ", '.env:6: FEATURE_C_TEST_COMPANIES is "1;2"'] as $text) {
            self::assertStringContainsString("not taken over: $text", $this->printed);
        }
        self::assertSame(['b' => ['enabled' => true]], $this->flags());
    }

    public function test_a_dry_run_exits_as_the_import_would(): void
    {
        // It exited with 0 where the import was refused: a flag that would change, a file with errors.
        \file_put_contents("$this->folder/flags.json", '{"flags": {"a": false}}');
        $this->dotenv("FEATURE_A=true\n");
        self::assertSame(1, $this->artisanCode('feature:convert env --dry-run'));
        self::assertStringContainsString('would change: a', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:convert env --dry-run --force'), $this->printed);
        $text = '{"flags": {"b": {"enabld": true}}}';
        \file_put_contents("$this->folder/flags.json", $text);
        self::assertSame(2, $this->artisanCode('feature:convert env --dry-run'));
        self::assertStringContainsString('flags.json:1:', $this->printed);
        self::assertSame($text, \file_get_contents("$this->folder/flags.json"));
    }

    public function test_what_an_environment_keeps_is_said(): void
    {
        // "on → off" was all that was said of a flag that is on in production as before.
        $text = '{"flags": {"a": true, "b": true, "c": {"enabled": false, "rollout": {"percentage": 0}}},'
            . ' "environments": {"production": {"flags": {"a": {"enabled": true}, "c": {"rollout": {"percentage": 10}}}}}}';
        \file_put_contents("$this->folder/flags.json", $text);
        $this->dotenv("FEATURE_A=false\nFEATURE_B=false\nFEATURE_C=true\n");
        self::assertSame(0, $this->artisanCode('feature:convert env --force --json'), $this->printed);
        self::assertSame([
            ['in production, whose part of the file decides: on'], [], ['in production, whose part of the file decides: off → 10 %'],
        ], \array_column(\json_decode($this->printed, true)['rows'], 'notes'));
    }

    public function test_a_number_of_a_spreadsheet_and_a_collection_are_no_other_companies(): void
    {
        // 15.0 became a company of that name, and a collection a pilot for nobody.
        foreach (['15.0,042', '1.5E+3', '+15', '15,103.', '15%', 'acme,None', '15,2026-11-21'] as $list) {
            $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=$list\n");
            self::assertSame(1, $this->artisanCode('feature:convert env'), $list);
            self::assertStringContainsString("FEATURE_A_TEST_COMPANIES is \"$list\", expected", $this->printed);
        }
        $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=15,042\n");
        self::assertSame(0, $this->artisanCode('feature:convert env'));
        self::assertStringContainsString('042 is a text, and not the company 42', $this->printed);
        self::assertSame([15, '042'], $this->flags()['a']['companies']['allow']);
        foreach ([[15.0], 15.0, new \stdClass()] as $companies) {
            \config(['features' => ['b' => ['enabled' => true, 'companies' => $companies]]]);
            self::assertSame(1, $this->artisanCode('feature:convert config'));
            self::assertStringContainsString('expected companies\' ids', $this->printed);
        }
        \config(['features' => ['b' => true, 'b_test_companies' => \collect([15, '16'])]]);
        self::assertSame(0, $this->artisanCode('feature:convert config'), $this->printed);
        self::assertSame([15, 16], $this->flags()['b']['companies']['allow']);
    }

    public function test_only_the_imported_flags_line_changes_and_the_exact_name_is_meant(): void
    {
        // The file was written anew, 1.0 became 1, and the last similar name was taken.
        $text = <<<'JSON'
            { "flags": {
                "checkout": { "enabled": true, "variants": {"x": {"weight": 100, "value": {"rate": 1.0, "text": "}\"{[,"}}} },
                "foo_bar":   false,
                "foo-bar": false } }

            JSON;
        \file_put_contents("$this->folder/flags.json", $text);
        $this->dotenv("FEATURE_FOO_BAR=true\nFEATURE_NEW=false\n");
        self::assertSame(0, $this->artisanCode('feature:convert env --force'), $this->printed);
        self::assertSame(
            \str_replace(
                ['"foo_bar":   false', '"foo-bar": false }'],
                ['"foo_bar":   { "enabled": true }', "\"foo-bar\": false,\n    \"new\": { \"enabled\": false } }"],
                $text,
            ),
            \file_get_contents("$this->folder/flags.json"),
        );
        self::assertSame(0, $this->artisanCode('feature:convert env --force'), $this->printed);
        self::assertStringContainsString('"rate": 1.0', (string) \file_get_contents("$this->folder/flags.json"));
        self::assertSame(0, $this->artisanCode('feature:make another'), $this->printed);
        $this->app->instance(Binary::class, new Binary('/nonexistent/flagstone'));
        self::assertSame(0, $this->artisanCode('feature:make without_the_command'), $this->printed);
        self::assertStringContainsString('"value": {"rate": 1.0, "text": "}\\"{[,"}', (string) \file_get_contents("$this->folder/flags.json"));
        self::assertTrue(isset($this->flags()['without_the_command'], $this->flags()['another']));
    }

    public function test_a_line_that_is_added_ends_as_the_lines_of_the_file(): void
    {
        // A file of CR LF lines got one that ended in LF.
        $this->app->instance(Binary::class, new Binary('/nonexistent/flagstone'));
        foreach (['{ "flags": {} }', "{\r\n  \"flags\": {}\r\n}\r\n", "{\r\n  \"flags\": {\r\n    \"a\": true\r\n  }\r\n}\r\n"] as $text) {
            \file_put_contents("$this->folder/flags.json", $text);
            self::assertSame(0, $this->artisanCode('feature:make another --owner=' . \str_repeat('x', 90)), $this->printed);
            self::assertTrue(isset($this->flags()['another']));
            $ends = \preg_match_all('/(?<!\r)\n/', (string) \file_get_contents("$this->folder/flags.json"));
            self::assertSame(\str_contains($text, "\r") ? 0 : 5, $ends, $text);
        }
    }

    public function test_importing_again_follows_the_source(): void
    {
        $import = function (array $features): array {
            \config(['features' => $features]);
            self::assertSame(0, $this->artisanCode('feature:convert config --force'), $this->printed);

            return \array_map(static fn (mixed $flag): bool => \is_array($flag) ? $flag['enabled'] : $flag, $this->flags());
        };
        foreach ([['foo_bar' => true, 'foo-bar' => false], ['foo_bar' => false, 'foo-bar' => true], ['foo-bar' => false, 'foo_bar' => true]] as $features) {
            $imported = $import($features);
            \ksort($imported);
            \ksort($features);
            self::assertSame($features, $imported);
        }
        // A similar name is the same flag where there is one alone.
        \file_put_contents("$this->folder/flags.json", '{"flags": {"customer-portal": false}}');
        self::assertSame(['customer-portal' => true], $import(['customer_portal' => true]));
        self::assertSame(['customer-portal' => true, 'customer_portal' => false], $import(['customer-portal' => true, 'customer_portal' => false]));
    }

    /** @return iterable<string, array{string, string}> */
    public static function lists(): iterable
    {
        // The latter ones became one company of that name.
        foreach (['15;42', '[15,42]', '15 42', "'15','42'", '15|42', '{15}', '15:42', '7/8', '15-20', '15–20', '*', 'all', '15,NULL', "42\u{feff}", "42\u{a0}", '15,42,Summe', '15,true', '=15'] as $list) {
            yield $list => [$list];
        }
    }

    /** @dataProvider lists */
    #[\PHPUnit\Framework\Attributes\DataProvider('lists')]
    public function test_a_list_with_other_separators_is_refused(string $list): void
    {
        $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=\"$list\"\n");
        self::assertSame(1, $this->artisanCode('feature:convert env --json'));
        self::assertStringContainsString('FEATURE_A_TEST_COMPANIES is', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:convert env --json --skip'));
        self::assertSame([], \json_decode($this->printed, true)['rows'], 'nor is the switch alone taken over');
        foreach ([$list, [$list]] as $companies) {
            \config(['features' => ['a' => ['enabled' => true, 'companies' => $companies], 'b_test_companies' => $companies, 'b' => true]]);
            self::assertSame(1, $this->artisanCode('feature:convert config --json'));
            self::assertCount(2, \json_decode($this->printed, true)['refused']);
        }
    }

    public function test_a_company_is_refused_where_the_command_refuses_it(): void
    {
        $texts = [
            '042', '-5', '12e5', '1.2.3', '12345678-1234-1234-1234-123456789012', 'v1.0', '1-2', '0x15', 'acme', 'e5', 'a:b', 'acme-us', '٣a', 'Café',
            '15,42', '15;42', '[15]', '(2 rows)', "'15'", '"15', '15 42', '- 15', '15 acme', '15 # acme', '|', '15.0', '-15.0', '1.5E+3', '1e-3', '+15', '1.500', '1_500', '-1.500', '1’500',
            '--yes', '--', '---', '-yes', '+--+', '─┼─', '═', 'NULL', 'nil', 'N/A', '#REF!', '\N', '=15', '# a', '//', '…', '...', '*', '-', "15\u{200b}", "\u{feff}42", "42\u{a0}", '١٥', '１５', "15\t",
        ];
        $differ = [];
        foreach ($texts as $text) {
            $command = $this->app->make(Binary::class)->run(['allow', '--store=' . \config('flagstone.store'), '--dry-run', '--', 'a', $text]);
            if (\str_contains($command->error, '<COMPANY>') !== (CompanyText::problem($text) !== null)) {
                $differ[$text] = $command->error;
            }
        }
        self::assertSame([], $differ);
    }

    public function test_a_pilot_with_an_empty_list_is_a_pilot_and_what_goes_with_a_switch_is_not_lost(): void
    {
        $this->dotenv("FEATURE_NEWUI=true\nFEATURE_NEWUI_TEST_COMPANIES=\nFEATURE_X=true\nFEATURE_X_ROLLOUT=10\nFEATURE_newEditor=true\nFEATURE_MAX_USERS=1\n");
        self::assertSame(1, $this->artisanCode('feature:convert env --json'));
        $refused = \implode("\n", \array_keys(\json_decode($this->printed, true)['refused']));
        foreach (['FEATURE_X_ROLLOUT is "10"', '.env:3: FEATURE_X goes with .env:4: FEATURE_X_ROLLOUT', 'FEATURE_newEditor: expected a name of capital letters'] as $text) {
            self::assertStringContainsString($text, $refused);
        }
        self::assertSame(0, $this->artisanCode('feature:convert env --skip'), $this->printed);
        self::assertStringContainsString('1 is taken for on', $this->printed);
        $pilot = ['enabled' => true, 'rollout' => ['percentage' => 0]];
        self::assertSame(['max_users' => ['enabled' => true], 'newui' => $pilot], $this->flags());
        \config(['features' => ['y' => true, 'y_test_companies' => [], 'z' => ['enabled' => true, 'companies' => '']]]);
        self::assertSame(0, $this->artisanCode('feature:convert config'), $this->printed);
        self::assertSame([$pilot, $pilot], [$this->flags()['y'], $this->flags()['z']]);
    }

    public function test_a_percentage_is_written_as_it_is_whatever_php_ini_says(): void
    {
        $before = \ini_set('serialize_precision', '17');
        try {
            \config(['features' => ['x' => ['enabled' => true, 'percentage' => 33.3], 'y' => ['enabled' => true, 'percentage' => '12.3']]]);
            self::assertSame(0, $this->artisanCode('feature:convert config'), $this->printed);
            self::assertSame(['33.3', '0.0', '1.0'], \array_map(Json::text(...), [33.3, 0.0, 1.0]));
            foreach ([0.1, 1e25, 1 / 3, -2.5e-7, 123456789.125, 1e15, \PHP_FLOAT_MAX] as $number) {
                self::assertSame($number, \json_decode(Json::text($number)));
            }
        } finally {
            \ini_set('serialize_precision', (string) $before);
        }
        $text = (string) \file_get_contents("$this->folder/flags.json");
        self::assertStringContainsString('"percentage": 33.3,', $text);
        self::assertStringContainsString('"percentage": 12.3,', $text);
    }

    public function test_a_refused_import_names_the_files_own_line(): void
    {
        $text = "{ \"flags\": {\n  \"a\": { \"enabled\":\n true,\n \"variants\": { \"x\": { \"weight\": 100,\n  \"value\": 1 } } },\n\n\n\"b\": { \"enabld\": true } } }\n";
        \file_put_contents("$this->folder/flags.json", $text);
        $this->dotenv("FEATURE_C=true\n");
        self::assertSame(2, $this->artisanCode('feature:convert env'));
        self::assertStringContainsString('flags.json:8:', $this->printed);
        self::assertSame($text, \file_get_contents("$this->folder/flags.json"));
    }

    public function test_a_guests_value_in_pennants_table_turns_nothing_on(): void
    {
        Schema::create('features', static function (Blueprint $table): void {
            foreach (['name', 'scope', 'value'] as $column) {
                $table->string($column);
            }
        });
        foreach ([['dark', '__laravel_null', 'true'], ['dark', 'company|15', 'false'], ['alone', '__laravel_null', 'true']] as [$name, $scope, $value]) {
            DB::table('features')->insert(['name' => $name, 'scope' => $scope, 'value' => $value]);
        }
        self::assertSame(0, $this->artisanCode('feature:convert pennant'), $this->printed);
        self::assertSame([0, 0], \array_map(static fn (array $flag): int => $flag['rollout']['percentage'], \array_values($this->flags())));
        self::assertStringContainsString("a guest's, and not taken over", $this->printed);
    }

    public function test_what_config_leaves_empty_turns_nothing_on(): void
    {
        // 'percentage' => env('UNSET') was on for everybody, 'enabled' => env('UNSET') beside a percentage at that percentage.
        \config(['features' => [
            'a' => ['enabled' => true, 'percentage' => null], 'b' => ['enabled' => null, 'percentage' => 50], 'c' => null, 'd' => ['percentage' => null], 'e' => ['enabled' => null],
            'f' => ['enabled' => true, 'percentage' => \NAN], 'g' => ['enabled' => false, 'active' => true], 'h' => ['enabled' => true, 'companies' => null],
            'i' => ['enabled' => true, 'companies' => [1]], 'i_test_companies' => [2], 'j' => ['enabled' => true, 'companies' => true], 'k' => ['enabled' => true, 'companies' => 'true'], 'l' => [],
        ]]);
        self::assertSame(1, $this->artisanCode('feature:convert config --json'));
        $refused = \implode("\n", \array_keys(\json_decode($this->printed, true)['refused']));
        foreach ([
            'features.a: percentage is null, expected a number', 'features.d: percentage is null', 'features.f: percentage is ', 'features.g: enabled is there twice, the second time as active',
            'features.i: companies is there twice, the second time as test_companies', 'features.j: companies is true, expected', 'features.k: companies is "true", expected', 'features.l says nothing',
        ] as $text) {
            self::assertStringContainsString($text, $refused);
        }
        self::assertSame(0, $this->artisanCode('feature:convert config --skip'), $this->printed);
        self::assertSame(['b', 'c', 'e', 'h'], \array_keys($this->flags()));
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => "$this->folder/flags.json"]), $this->printed);
        foreach (['b', 'c', 'e', 'h'] as $flag) {
            self::assertSame([], $this->app->make('flagstone')->filter($flag, \range(1, 200)), $flag);
        }
    }

    public function test_a_list_that_laravel_reads_as_nothing_is_nothing(): void
    {
        foreach (['null', '(null)', 'NULL', 'empty', '(empty)', ''] as $text) {
            $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=$text\n");
            self::assertSame(0, $this->artisanCode('feature:convert env --force'), $this->printed);
            self::assertSame(['enabled' => true, 'rollout' => ['percentage' => 0]], $this->flags()['a'], $text);
        }
        foreach (['true', '(false)'] as $text) {
            $this->dotenv("FEATURE_A=true\nFEATURE_A_TEST_COMPANIES=$text\n");
            self::assertSame(1, $this->artisanCode('feature:convert env --force'), $text);
            self::assertStringContainsString('FEATURE_A_TEST_COMPANIES is', $this->printed);
        }
    }

    public function test_a_dotenv_that_is_not_there_is_refused(): void
    {
        self::assertSame(1, $this->artisanCode("feature:convert env --dotenv=$this->folder/none.env"));
        self::assertStringContainsString("none.env\", expected a .env file", $this->printed);
    }

    /**
     * Blank, 0 and 1 were read as switches of other flags, and the switch as on for everybody.
     *
     * @return array<string, array{string, string, string}> a name's ending, its value, and what it is
     */
    public static function conditions(): array
    {
        $all = [];
        foreach (['PERCENTAGE=1', 'ROLLOUT=0', 'ROLLOUT=true', 'ROLLOUT_PERCENTAGE=', 'PCT=1'] as $line) {
            $all[$line] = [...\explode('=', $line), 'a percentage'];
        }
        $lists = ['COMPANIES=', 'COMPANIES=1', 'ALLOWED_COMPANIES=1', 'TEST_COMPANY=1', 'TEST_COMPANY_IDS=', 'DISABLED_COMPANIES=1', 'TENANTS=0', 'TENANT_ID=1', 'ALLOWED_TEST_COMPANIES=15'];
        foreach ($lists as $line) {
            $all[$line] = [...\explode('=', $line), 'a list of companies'];
        }

        return $all;
    }

    /** @dataProvider conditions */
    #[\PHPUnit\Framework\Attributes\DataProvider('conditions')]
    public function test_what_says_for_whom_a_switch_is_on_is_no_switch(string $ending, string $value, string $what): void
    {
        $this->dotenv("FEATURE_X=true\nFEATURE_X_$ending=$value\nFEATURE_Y=true\n");
        \config(['features' => ['x' => true, 'x_' . \strtolower($ending) => $value, 'y' => true]]);
        foreach (['env' => '.env:1: FEATURE_X goes with ', 'config' => 'features.x goes with features.x_'] as $source => $with) {
            self::assertSame(1, $this->artisanCode("feature:convert $source"), $this->printed);
            self::assertStringContainsString("is $what, expected a switch", $this->printed);
            self::assertStringContainsString($with, $this->printed);
            self::assertSame(0, $this->artisanCode("feature:convert $source --skip --json"));
            self::assertSame(['y'], \array_column(\json_decode($this->printed, true)['rows'], 'flag'));
            \unlink("$this->folder/flags.json");
        }
    }

    public function test_what_is_beside_no_switch_is_a_switch(): void
    {
        $this->dotenv("FEATURE_X=true\nFEATURE_Y_ROLLOUT=1\nFEATURE_SHOW_COMPANIES=true\nFEATURE_XYZ_IDS=0\n");
        self::assertSame(0, $this->artisanCode('feature:convert env'), $this->printed);
        self::assertSame(['show_companies', 'x', 'xyz_ids', 'y_rollout'], \array_keys($this->flags()));
        \config(['features' => ['checkout' => true, 'checkoutPercentage' => 0, 'pilot' => true, 'pilot-companies' => '', 'show' => ['enabled' => true, 'companies' => [1]]]]);
        self::assertSame(0, $this->artisanCode('feature:convert config --skip --json'), $this->printed);
        self::assertSame(['show'], \array_column(\json_decode($this->printed, true)['rows'], 'flag'));
    }

    /** phpdotenv drops such a line and all below it without a word. */
    public function test_a_quote_of_dotenv_without_an_end_is_refused_with_its_line(): void
    {
        $this->dotenv("FEATURE_A=true\nFEATURE_BETA=true\n\nFEATURE_BETA_TEST_COMPANIES=\"15,42\nexport FEATURE_C=true\n");
        self::assertSame(1, $this->artisanCode('feature:convert env'));
        foreach (['.env:4: FEATURE_BETA_TEST_COMPANIES is not read: a quote', '.env:5: FEATURE_C is not read'] as $text) {
            self::assertStringContainsString($text, $this->printed);
        }
        self::assertSame(0, $this->artisanCode('feature:convert env --skip --json'));
        self::assertSame(['a'], \array_column(\json_decode($this->printed, true)['rows'], 'flag'));
    }

    public function test_of_tables_nothing_that_is_deleted_expired_or_not_understood_lets_anybody_in(): void
    {
        Schema::create('feature_flags', static function (Blueprint $table): void {
            $table->increments('id');
            $table->string('key');
            $table->boolean('enabled')->nullable();
            $table->integer('percentage')->nullable();
            $table->string('team')->nullable();
            $table->string('created_by')->nullable();
            $table->softDeletes();
            $table->timestamps();
        });
        Schema::create('feature_flag_overrides', static function (Blueprint $table): void {
            $table->integer('feature_flag_id');
            $table->string('company_id');
            $table->boolean('enabled');
            $table->string('until')->nullable();
            $table->timestamp('expires_at')->nullable();
            $table->softDeletes();
        });
        $deleted = '2024-01-01 00:00:00';
        foreach ([
            1 => ['search', 1, 100, null, $deleted], 2 => ['search', 0, 100, null, null], 3 => ['old', 1, 100, null, $deleted], 4 => ['all', 1, null, null, null],
            5 => ['off', 0, null, null, null], 6 => ['team', 1, 100, 'red', null], 7 => ['twice', 1, 100, null, null], 8 => ['twice', 0, 0, null, null],
            9 => ['ended', 0, 0, null, null], 10 => ['ending', 0, 0, null, null], 11 => ['strange', 1, 100, null, null], 12 => ['unread', 1, 100, null, null],
            13 => ['blank', 1, 100, null, null], 14 => ['several', 1, 100, null, null], 15 => ['missing', 1, 100, null, null],
        ] as $id => [$key, $on, $percentage, $team, $at]) {
            DB::table('feature_flags')->insert(['id' => $id, 'key' => $key, 'enabled' => $on, 'percentage' => $percentage, 'team' => $team, 'created_by' => 'eve', 'deleted_at' => $at]);
        }
        foreach ([
            [1, 7, 1, null, null, null], [2, 7, 1, null, null, $deleted], [3, 7, 1, null, null, null], [9, 7, 1, null, $deleted, null], [10, 7, 1, null, '2999-01-01 00:00:00', null],
            [11, 7, 0, 'friday', null, null], [12, '', 0, null, null, null], [13, "42\u{a0}", 0, null, null, null], [14, '7,15', 0, null, null, null], [15, 'NULL', 0, null, null, null],
        ] as [$id, $company, $on, $until, $ends, $at]) {
            DB::table('feature_flag_overrides')
                ->insert(['feature_flag_id' => $id, 'company_id' => (string) $company, 'enabled' => $on, 'until' => $until, 'expires_at' => $ends, 'deleted_at' => $at]);
        }
        self::assertSame(1, $this->artisanCode('feature:convert tables --json'));
        $refused = \json_decode($this->printed, true)['refused'];
        self::assertSame([
            'feature_flags: all is on, and its percentage is NULL: write 100 for everybody or 0 for nobody', 'feature_flags.team holds something that is not understood',
            'feature_flags: twice cannot be read, or is there twice', 'feature_flag_overrides.expires_at holds something that is not understood',
            'feature_flag_overrides.until holds something that is not understood', 'feature_flag_overrides: unread for company "" cannot be read, or is there twice',
            "feature_flag_overrides: blank for company \"42\u{a0}\" cannot be read, or is there twice", 'feature_flag_overrides: several for company "7,15" cannot be read, or is there twice',
            'feature_flag_overrides: missing for company "NULL" cannot be read, or is there twice',
        ], \array_map(static fn (string $why): string => (string) \preg_replace('/twice: .*/', 'twice', $why), \array_keys($refused)));
        self::assertSame(0, $this->artisanCode('feature:convert tables --skip'), $this->printed);
        self::assertSame(['search', 'off', 'ended'], \array_keys($this->flags()));
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => "$this->folder/flags.json"]), $this->printed);
        foreach (['ended', 'off', 'search'] as $flag) {
            self::assertSame([], $this->app->make('flagstone')->filter($flag, \range(1, 200)), $flag);
        }
    }
}
