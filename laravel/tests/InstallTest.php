<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Foundation\Application;

/**
 * feature:install, feature:make and feature:doctor in a fresh application.
 */
final class InstallTest extends TestCase
{
    use Artisan;

    private string $folder;

    protected function configure(Application $app): void
    {
        static $number = 0;
        $this->folder = Store::directory() . '/install-' . \getmypid() . '-' . ++$number;
        \mkdir("$this->folder/config", 0755, true);
        $app->make('config')->set('flagstone.file', "$this->folder/flags.json");
        $app->make('config')->set('flagstone.overlay', "$this->folder/flags.local.json");
        $app->make('config')->set('flagstone.binary', \getenv('FLAGSTONE_BIN'));
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->app->setBasePath($this->folder);
    }

    public function test_install_writes_what_is_missing_and_leaves_what_is_there(): void
    {
        \file_put_contents("$this->folder/.gitignore", '/vendor');
        self::assertSame(0, $this->artisanCode('feature:install'));
        self::assertStringContainsString('flagstone init', $this->printed);
        self::assertFileEquals(__DIR__ . '/../config/flagstone.php', "$this->folder/config/flagstone.php");
        self::assertSame("/vendor\n/flags.local.json\n", \file_get_contents("$this->folder/.gitignore"));
        $written = (string) \file_get_contents("$this->folder/flags.json");
        self::assertSame("{\n  \"\$schema\": \"vendor/flagstone/laravel/flags.schema.json\",\n  \"flags\": {}\n}\n", $written);
        self::assertFileExists(__DIR__ . '/../flags.schema.json');

        \file_put_contents("$this->folder/config/flagstone.php", '<?php return [];');
        \file_put_contents("$this->folder/flags.json", '{"flags": {"mine": true}}');
        self::assertSame(0, $this->artisanCode('feature:install --json'));
        self::assertSame(
            ['config/flagstone.php is there already', 'flags.json is there already', '.gitignore has /flags.local.json already'],
            \json_decode($this->printed, true)['done'],
        );
        self::assertSame('{"flags": {"mine": true}}', \file_get_contents("$this->folder/flags.json"));
    }

    public function test_the_schema_is_the_projects(): void
    {
        self::assertFileEquals(__DIR__ . '/../../schema/flags.schema.json', __DIR__ . '/../flags.schema.json');
    }

    public function test_make_adds_a_flag_that_is_off_with_the_command_or_without(): void
    {
        $this->artisanCode('feature:install');
        foreach ([(string) \getenv('FLAGSTONE_BIN'), '/nonexistent/flagstone'] as $number => $path) {
            $this->app->instance(Binary::class, new Binary($path));
            self::assertSame(0, $this->artisanCode("feature:make new_$number --owner=team --expires=2099-01-31"), $this->printed);
            self::assertSame(1, $this->artisanCode("feature:make new_$number"));
            self::assertStringContainsString("there is a flag \"new_$number\" already", $this->printed);
            self::assertSame(1, $this->artisanCode('feature:make', ['flag' => 'not a key']));
            self::assertStringContainsString('expected 1 to 191 letters', $this->printed);
            self::assertSame(1, $this->artisanCode('feature:make other --expires=2099-02-31'));
        }
        self::assertSame(
            "{\n  \"\$schema\": \"vendor/flagstone/laravel/flags.schema.json\",\n  \"flags\": {\n"
            . "    \"new_0\": { \"enabled\": false, \"owner\": \"team\", \"expires\": \"2099-01-31\" },\n"
            . "    \"new_1\": { \"enabled\": false, \"owner\": \"team\", \"expires\": \"2099-01-31\" }\n  }\n}\n",
            \file_get_contents("$this->folder/flags.json"),
        );
    }

    public function test_make_adds_a_case_to_an_enum(): void
    {
        $this->artisanCode('feature:install');
        $class = 'Flag' . \bin2hex(\random_bytes(4));
        $file = "$this->folder/$class.php";
        $source = "<?php\n\nnamespace App;\n\nenum $class: string\n{\n    case Portal = 'portal';\n\n"
            . "    public function label(): string\n    {\n        return match (\$this) {\n            self::Portal => 'x',\n        };\n    }\n}\n";
        \file_put_contents($file, $source);
        require $file;
        self::assertSame(0, $this->artisanCode('feature:make', ['flag' => 'new-search.v2', '--enum' => "App\\$class"]), $this->printed);
        self::assertSame(
            \str_replace("'portal';\n", "'portal';\n    case NewSearchV2 = 'new-search.v2';\n", $source),
            \file_get_contents($file),
        );
        self::assertSame(1, $this->artisanCode('feature:make', ['flag' => 'portal', '--enum' => "App\\$class"]));
        self::assertStringNotContainsString('"portal"', (string) \file_get_contents("$this->folder/flags.json"));
        self::assertSame(1, $this->artisanCode('feature:make', ['flag' => 'x', '--enum' => self::class]));
        self::assertStringContainsString('InstallTest is no enum backed by strings; nothing was changed', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:make', ['flag' => 'x', '--enum' => 'App\Absent']));
        self::assertStringContainsString('there is no App\Absent; nothing was changed. Write `enum Absent: string {}` first', $this->printed);
        self::assertStringNotContainsString('"x"', (string) \file_get_contents("$this->folder/flags.json"));

        \file_put_contents("$this->folder/Empty$class.php", "<?php\n\nenum Empty$class: string\n{\n}\n");
        require "$this->folder/Empty$class.php";
        self::assertSame(0, $this->artisanCode('feature:make', ['flag' => '2fa', '--enum' => "Empty$class"]));
        self::assertStringContainsString("{\n    case Flag2fa = '2fa';\n}", (string) \file_get_contents("$this->folder/Empty$class.php"));
    }

    public function test_doctor_says_what_is_wrong(): void
    {
        $this->publish(['a' => true]);
        self::assertSame(0, $this->artisanCode('feature:doctor'));
        self::assertStringContainsString('1 flags, from ', $this->printed);
        self::assertMatchesRegularExpression('/ok +store +\d\d checks of `flagstone doctor` passed/', $this->printed);
        self::assertStringContainsString('1 flag without an owner: a. To mend: write "owner"', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:doctor --fpm=/nonexistent.sock'));
        self::assertStringContainsString('/nonexistent.sock does not answer: No such file', $this->printed);
        \file_put_contents("$this->folder/Asks.php", "<?php feature_enabled('mispelt');");
        self::assertSame(1, $this->artisanCode('feature:doctor'), 'what `flagstone doctor` fails for fails here');
        self::assertStringContainsString('mispelt (Asks.php:1)', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:doctor --skip=code-undefined'));
        \mkdir("$this->folder/.git");
        $this->app->instance(Binary::class, new Binary('/nonexistent/flagstone'));
        $this->app->forgetInstance(\Flagstone\Laravel\Changes\Changer::class);
        self::assertSame(1, $this->artisanCode('feature:doctor --json'));
        $checks = \array_column(\json_decode($this->printed, true)['checks'], 'state', 'check');
        self::assertSame('problem', $checks['command']);
        self::assertSame('hint', $checks['overlay']);
    }
}
