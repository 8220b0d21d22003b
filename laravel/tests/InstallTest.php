<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Route;

/**
 * feature:install, feature:make and feature:doctor in a fresh application.
 */
final class InstallTest extends TestCase
{
    use Artisan;

    private string $folder;

    protected function configure(Application $app): void
    {
        $this->folder = Store::unused('install');
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

    public function test_what_root_installs_is_the_applications_whatever_the_umask(): void
    {
        // Root's umask 077 left a .gitignore that the application's owner could not read.
        self::assertSame(0, \posix_geteuid(), 'run as root: nobody else can play two users');
        foreach ([$this->folder, "$this->folder/config"] as $folder) {
            \chown($folder, 64_010);
            \chgrp($folder, 64_011);
        }
        $umask = \umask(0o077);
        try {
            self::assertSame(0, $this->artisanCode('feature:install'), $this->printed);
        } finally {
            \umask($umask);
        }
        foreach (['.gitignore', 'flags.json', 'config/flagstone.php'] as $name) {
            $file = "$this->folder/$name";
            self::assertSame([64_010, 64_011, 0o100644], [\fileowner($file), \filegroup($file), \fileperms($file)], $name);
        }
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

    public function test_make_shows_what_it_would_add(): void
    {
        $this->artisanCode('feature:install');
        $before = \file_get_contents("$this->folder/flags.json");
        [$class, $file] = $this->enum('enum %s: string { case A = "a"; }');
        $source = \file_get_contents($file);
        foreach ([(string) \getenv('FLAGSTONE_BIN'), '/nonexistent/flagstone'] as $path) {
            $this->app->instance(Binary::class, new Binary($path));
            self::assertSame(0, $this->artisanCode('feature:make', ['flag' => 'new', '--enum' => $class, '--dry-run' => true]), $this->printed);
            self::assertStringContainsString("$class::New would be added", $this->printed);
            self::assertSame([$before, $source], [\file_get_contents("$this->folder/flags.json"), \file_get_contents($file)]);
        }
    }

    /** @return iterable<string, array{string, string}> */
    public static function enums(): iterable
    {
        $case = "case X = 'x';";
        yield 'one line' => ["enum %s: string { case Portal = 'portal'; }", "enum %s: string { case Portal = 'portal'; $case }"];
        yield 'no blank' => ["enum %s:string{case Portal='portal';}", "enum %s:string{case Portal='portal'; $case }"];
        yield 'empty' => ['enum %s: string {}', "enum %s: string { $case }"];
        yield 'empty lines' => ["enum %s: string\n{\n}\n", "enum %s: string\n{\n    $case\n}\n"];
        yield 'comment' => ["enum %s: string\n{\n\tcase A = 'a'; // the; first\n}\n", "enum %s: string\n{\n\tcase A = 'a'; // the; first\n\t$case\n}\n"];
        yield 'text with a brace' => ["enum %s: string\n{\n    case A = '};';\n}\n", "enum %s: string\n{\n    case A = '};';\n    $case\n}\n"];
        $switch = "    public function f(int \$n): string { switch (\$n) { case 1: return \"{\$n}\"; default: return 'case B = 1;'; } }\n";
        yield 'switch' => ["enum %s: string\n{\n    case A = 'a';\n$switch}\n", "enum %s: string\n{\n    case A = 'a';\n    $case\n$switch}\n"];
        yield 'another enum first' => ["// enum %s { }\nenum Other%s: string { case Z = 'z'; }\nenum %s: string { case A = 'a'; }", "// enum %s { }\nenum Other%s: string { case Z = 'z'; }\nenum %s: string { case A = 'a'; $case }"];
        yield 'two on a line' => ["enum %s: string\n{\n    case A = 'a'; case B = 'b';\n}\n", "enum %s: string\n{\n    case A = 'a'; case B = 'b';\n    $case\n}\n"];
        yield 'CRLF' => ["enum %s: string\r\n{\r\n    case A = 'a';\r\n}\r\n", "enum %s: string\r\n{\r\n    case A = 'a';\r\n    $case\r\n}\r\n"];
    }

    /** @dataProvider enums */
    #[\PHPUnit\Framework\Attributes\DataProvider('enums')]
    public function test_the_case_is_in_the_enum_however_it_is_written(string $source, string $right): void
    {
        $this->artisanCode('feature:install');
        [$class, $file] = $this->enum($source);
        self::assertSame(0, $this->artisanCode('feature:make', ['flag' => 'x', '--enum' => $class]), $this->printed);
        self::assertSame("<?php\n\n" . \str_replace('%s', $class, $right), \file_get_contents($file));
    }

    /** @return array{string, string} its name, and the file that declares it */
    private function enum(string $source): array
    {
        $class = 'Flag' . \bin2hex(\random_bytes(4));
        $file = "$this->folder/$class.php";
        \file_put_contents($file, "<?php\n\n" . \str_replace('%s', $class, $source));
        require $file;

        return [$class, $file];
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
        self::assertSame(2, $this->artisanCode('feature:doctor --fpm=/nonexistent.sock'), 'as `flagstone doctor`: who asks for workers wants to know');
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

    /** 22 checks that could not be made were listed below the one reason. */
    public function test_doctor_says_once_that_there_is_no_store(): void
    {
        $flagstone = $this->app->make('flagstone');
        $flagstone->setDriver(new Support\SaysStatus($flagstone->driver(), ['store' => '/nonexistent/store', 'source' => 'none']));
        self::assertSame(1, $this->artisanCode('feature:doctor --json'));
        $checks = \json_decode($this->printed, true)['checks'];
        self::assertLessThan(10, \count($checks), $this->printed);
    }

    /** A middleware of the application's own under the name `feature` went on guarding, and the doctor was content. */
    public function test_doctor_says_who_owns_the_alias_of_the_middleware(): void
    {
        $this->publish(['a' => true]);
        self::assertSame(0, $this->artisanCode('feature:doctor'));
        self::assertMatchesRegularExpression("/ok +alias +feature is Flagstone's middleware/", $this->printed);
        Route::get('/guarded', static fn (): string => 'page')->middleware('feature:a');
        self::assertSame(0, $this->artisanCode('feature:routes a'), $this->printed);

        foreach ([true, false] as $named) {
            $this->refreshApplication();
            $this->app->setBasePath($this->folder);
            // As an HTTP kernel does that lists it; on the console none is made.
            $this->app->bind(Kernel::class, static function (Application $app) use ($named): object {
                $app->make('router')->aliasMiddleware($named ? 'feature' : 'flag', Support\PageExpired::class);

                return new \stdClass();
            });
            $this->app->forgetInstance(Kernel::class);
            Route::get('/guarded', static fn (): string => 'page')->middleware('feature:a');
            $this->artisanCode('feature:doctor');
            $own = "the alias feature is the application's own " . Support\PageExpired::class;
            self::assertSame($named, \str_contains($this->printed, $own), $this->printed);
            self::assertSame($named ? 1 : 0, $this->artisanCode('feature:routes a'), 'a route that it guards is none of the flag');
        }
    }
}
