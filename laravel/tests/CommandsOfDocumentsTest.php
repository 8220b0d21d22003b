<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Document;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Schema;

/**
 * The artisan commands that the pages name are run in their order, on one store: each ends with 0, and prints what is shown for it. A
 * command or an option that is none fails. Blocks of shell are typed by tests/laravel/newcomer.
 */
final class CommandsOfDocumentsTest extends TestCase
{
    use Artisan;

    private const PAGES = ['laravel/docs/changing-flags.md', 'laravel/README.md'];

    /** Not run: one that asks for more where it is typed, and one of the driver "file", which OverlayTest runs. */
    private const NAMED = ['feature', 'feature:reset'];

    private string $folder;

    protected function configure(Application $app): void
    {
        $this->folder = Store::unused('documents');
        \mkdir($this->folder);
        $stages = [['companies' => [15], 'soak' => '1d'], ['percentage' => 100]];
        $flags = ['customer_portal' => ['enabled' => false, 'rollout' => ['percentage' => 0], 'plan' => ['stages' => $stages]]];
        // One that the file had, and no longer has.
        \file_put_contents("$this->folder/earlier.json", \json_encode(['flags' => $flags + ['retired' => false]]));
        \file_put_contents("$this->folder/flags.json", \json_encode(['flags' => $flags]));
        $binary = new Binary((string) \getenv('FLAGSTONE_BIN'));
        $store = "--store=$this->folder/store";
        foreach ([
            ['init', "$this->folder/store", '--environment', 'production'],
            ['publish', "$this->folder/earlier.json", $store],
            ['publish', "$this->folder/flags.json", $store],
        ] as $arguments) {
            $result = $binary->run($arguments);
            self::assertSame(0, $result->code, $result->error);
        }
        $app->make('config')->set(['flagstone.store' => "$this->folder/store", 'flagstone.file' => "$this->folder/flags.json", 'flagstone.binary' => \getenv('FLAGSTONE_BIN')]);
        $app->make('config')->set('features', ['editor' => true]);
        $app->make('config')->set('flagstone.environment', 'production');
    }

    protected function setUp(): void
    {
        parent::setUp();
        // Other tests leave views in the folder that they share, and the doctor reads them.
        foreach (['config', 'resources/views', 'storage/framework/cache', 'storage/framework/views'] as $path) {
            \mkdir("$this->folder/$path", 0755, true);
        }
        $this->app->setBasePath($this->folder);
        $this->app->useEnvironmentPath($this->folder);
        \file_put_contents("$this->folder/.env", "FEATURE_SEARCH=true\n");
        Route::get('/portal', static fn (): string => 'page')->middleware('feature:customer_portal');
        Schema::create('feature_flags', static function (Blueprint $table): void {
            $table->string('key');
            $table->boolean('enabled');
        });
        Schema::create('features', static function (Blueprint $table): void {
            $table->string('name');
            $table->string('scope');
            $table->text('value');
        });
    }

    public function test_every_command_that_a_page_names_runs(): void
    {
        $known = \array_keys($this->app->make(Kernel::class)->all());
        $run = 0;
        foreach (self::PAGES as $page) {
            foreach ((new Document($page))->inline() as $span) {
                if (\preg_match('/^(?:(?:php|\$FORGE_PHP) artisan )?(feature(?::[a-z-]+)?)((?: .*)?)$/', $span, $parts) !== 1) {
                    continue;
                }
                [, $name, $arguments] = $parts;
                // The middleware and the rule are written alike.
                if (\in_array($span, ['feature:customer_portal', 'feature'], true)) {
                    continue;
                }
                self::assertContains($name, $known, "$page: $span");
                $definition = $this->app->make(Kernel::class)->all()[$name]->getDefinition();
                // One that is only named is no line to be typed where it needs more.
                if (\in_array($span, [...self::NAMED, 'feature:reset customer_portal', 'feature:reset KEY'], true) || $arguments === '' && $definition->getArgumentRequiredCount() > 0) {
                    continue;
                }
                $line = $name . \strtr($arguments, ['KEY' => ['feature:make' => 'made', 'feature:delete' => 'retired'][$name] ?? 'customer_portal', '--expires=…' => '--expires=2030-01-01',
                    '"…"' => '"a reason"', '…' => 'reason', '--enum=App\\\\Feature' => '']);
                $asks = $name === 'feature' ? \str_contains($line, 'emergency-disable') : $definition->hasOption('yes');
                $line .= $asks ? ' --yes' : '';
                self::assertSame(0, $this->artisanCode($line), "$page: $line\n$this->printed");
                $run++;
            }
        }
        self::assertGreaterThan(25, $run);
    }

    public function test_every_command_flagstone_that_a_page_names_exists(): void
    {
        $binary = new Binary((string) \getenv('FLAGSTONE_BIN'));
        $found = [];
        foreach (self::PAGES as $page) {
            foreach (\preg_grep('/^flagstone [a-z]/', (new Document($page))->inline()) ?: [] as $span) {
                $words = \explode(' ', \substr($span, \strlen('flagstone ')));
                $result = $binary->run(\count($words) === 1 ? [...$words, '--help'] : [...$words, "--store=$this->folder/store"]);
                self::assertSame(0, $result->code, "$page: $span\n$result->error");
                $found[] = $span;
            }
        }
        self::assertContains('flagstone config confirm_above 0.1', $found);
    }

    public function test_every_option_that_a_page_names_exists(): void
    {
        $known = [];
        foreach ($this->app->make(Kernel::class)->all() as $name => $command) {
            if (\str_starts_with((string) $name, 'feature')) {
                $known += $command->getDefinition()->getOptions();
            }
        }
        // Of `flagstone init`, and Laravel's own.
        $known += ['readers' => true, 'no-interaction' => true];
        foreach (self::PAGES as $page) {
            foreach (\preg_grep('/^--[a-z]/', (new Document($page))->inline()) ?: [] as $span) {
                \preg_match_all('/--([a-z-]+)/', $span, $options);
                foreach ($options[1] as $option) {
                    self::assertArrayHasKey($option, $known, "$page: $span");
                }
            }
        }
    }

    public function test_every_command_that_a_page_shows_prints_what_follows(): void
    {
        $this->app->make('config')->set('flagstone.companies', static fn (): iterable => \range(1, 4210));
        $shown = (new Document('laravel/docs/changing-flags.md'))->typed();
        self::assertCount(2, $shown);
        foreach ($shown as [$line, $lines]) {
            if (\str_contains($line, 'disable')) {
                self::assertSame(0, $this->artisanCode('feature:rollout customer_portal 10'));
                (new \Flagstone\Laravel\Console\ArtisanCommands())->register($this->app);
            }
            $this->artisanCode($line);
            $plain = static fn (string $text): string => (string) \preg_replace(['/ on \S+,/', '/generation \d+/', '/after \d+/'], [' on web-1,', 'generation N', 'after N'], \trim($text));
            self::assertSame($plain(\implode("\n", $lines)), $plain($this->printed), $line);
        }
    }
}
