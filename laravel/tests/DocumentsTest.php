<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Closure;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Http\CheckFeatureFlag;
use Flagstone\Laravel\Queue\RequiresFeature;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Flagstone\Laravel\Tests\Support\Company;
use Flagstone\Laravel\Tests\Support\Document;
use Flagstone\Laravel\Tests\Support\Store;
use Flagstone\Laravel\Tests\Support\User;
use Flagstone\Polyfill\Process;
use Illuminate\Console\Scheduling\Schedule;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Validator;
use Laravel\Pennant\Contracts\Driver;
use Laravel\Pennant\FeatureManager;

/**
 * The PHP and Blade that the pages show does what they say: each snippet is run as it stands there, and one that nothing here runs
 * fails. tests/laravel/newcomer types their shell, ini, json and yaml; CommandsOfDocumentsTest their artisan commands.
 */
final class DocumentsTest extends TestCase
{
    private const PAGES = ['README.md', 'laravel/README.md', 'laravel/docs/changing-flags.md', 'polyfill/README.md'];

    /** What snippets have at hand. */
    private const AROUND = 'namespace Flagstone\Laravel\Tests\Snippets;
        use App\Models\Company;
        use App\Models\User;
        use Flagstone\Laravel\Facades\Flagstone;
        use Flagstone\Laravel\Http\CheckFeatureFlag;
        use Flagstone\Laravel\Queue\RequiresFeature;
        use Flagstone\Laravel\Subject\Subject;
        use Flagstone\Laravel\Testing\Variant;
        use Flagstone\Laravel\Tests\Support\Pages as PortalController;
        use Illuminate\Support\Facades\DB;
        use Illuminate\Support\Facades\Gate;
        use Illuminate\Support\Facades\Route;
        use Illuminate\Support\Str;
    ';

    private Company $company;

    protected function setUp(): void
    {
        parent::setUp();
        $pilots = ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]];
        $compact = ['compact' => ['weight' => 100, 'value' => ['columns' => 2]]];
        $this->publish([
            'customer_portal' => $pilots,
            'checkout' => $pilots + ['variants' => $compact],
            'invoicing' => $pilots,
            'xlsx_export' => $pilots,
            'plans' => ['rollout' => ['percentage' => 0], 'rules' => [['when' => ['attribute' => 'plan', 'in' => ['enterprise']]]]],
        ]);
        $this->company = (new Company())->forceFill(['id' => 15, 'plan' => null]);
        Auth::setUser($this->asker(15));
        if (!\enum_exists('Flagstone\Laravel\Tests\Snippets\Feature')) {
            eval('namespace Flagstone\Laravel\Tests\Snippets; enum Feature: string { case CustomerPortal = "customer_portal"; } const … = null;
                final class Schedule extends \Illuminate\Support\Facades\Facade {
                    protected static function getFacadeAccessor() { return \Illuminate\Console\Scheduling\Schedule::class; } }');
        }
    }

    /** @return array<string, Closure(string): void> what runs a block, by a text in it */
    private function runners(): array
    {
        return [
            "Route::middleware(['auth', 'feature:customer_portal'])" => function (string $block): void {
                $this->evaluate($block);
                $this->guarded('/portal');
            },
            "->middleware('feature:customer_portal')\n" => function (string $block): void {
                $this->evaluate("Route::get('/chained', fn () => 'page')" . \rtrim($block) . ';');
                $this->guarded('/chained');
            },
            "Flagstone::enabled('customer_portal');" => function (string $block): void {
                $all = ['customer_portal' => true, 'checkout' => true, 'invoicing' => true, 'xlsx_export' => true, 'plans' => false];
                \ksort($all);
                $expected = [true, true, false, 'portal', true, 'compact', ['columns' => 2], 'allowed', $all, true, [15], true, true, null, null];
                $lines = \array_values(\preg_grep('/^Flagstone::/', \explode("\n", $block)) ?: []);
                self::assertCount(\count($expected), $lines);
                foreach ($lines as $number => $line) {
                    $order = new class() {
                        public function total(): float
                        {
                            return 9.5;
                        }
                    };
                    $answer = $this->evaluate('return ' . $line, ['company' => $this->company, 'companies' => [15, 16], 'order' => $order]);
                    \is_array($answer) && \array_is_list($answer) || !\is_array($answer) || \ksort($answer);
                    $answer = \is_array($answer) && isset($answer['reason']) ? $answer['reason'] : $answer;
                    self::assertSame($expected[$number], $answer, $line);
                }
            },
            "Route::resource('portals'" => function (string $block): void {
                $folder = $this->app->basePath('routes');
                \file_put_contents("$folder/portal.php", "<?php Illuminate\\Support\\Facades\\Route::get('/grouped', fn () => 'page');");
                $this->evaluate($block);
                $this->guarded('/grouped');
                $this->guarded('/portals');
                \unlink("$folder/portal.php");
            },
            "'subject' => ['user:company_id']" => function (string $block): void {
                $this->app->make('config')->set('flagstone', $this->evaluate("return [$block];") + \config('flagstone'));
                $this->app->forgetInstance(Subjects::class);
                self::assertSame(15, $this->app->make(Subjects::class)->current()->company);
            },
            'function flagstoneContext(): array' => function (string $block): void {
                $company = eval(self::AROUND . "return new class() extends \\Illuminate\\Database\\Eloquent\\Model {
                    use \\Flagstone\\Laravel\\Models\\HasFeatures; protected \$guarded = []; $block };");
                $company->forceFill(['id' => 1, 'plan' => 'enterprise', 'country' => 'DE']);
                self::assertTrue($company->hasFeature('plans'));
                self::assertFalse($company->forceFill(['plan' => 'free'])->hasFeature('plans'));
            },
            'Flagstone::actingFor($company, function () use ($company)' => function (string $block): void {
                Auth::setUser($this->asker(16));
                $inside = \str_replace('// all', 'return Flagstone::enabled("customer_portal"); //', $block);
                self::assertTrue($this->evaluate("return $inside", ['company' => $this->company]));
                self::assertFalse(Flagstone::enabled('customer_portal'));
            },
            'return [RequiresFeature::for(' => function (string $block): void {
                $job = eval(self::AROUND . "return new class() { $block };");
                self::assertInstanceOf(RequiresFeature::class, $job->middleware()[0]);
            },
            "->featurePossible('customer_portal');" => function (string $block): void {
                $schedule = $this->app->make(Schedule::class);
                $this->evaluate($block, ['schedule' => $schedule, 'company' => $this->company]);
                self::assertSame([true, true], \array_map(fn ($event): bool => $event->filtersPass($this->app), $schedule->events()));
                $this->publish(['customer_portal' => false]);
                self::assertSame([false, false], \array_map(fn ($event): bool => $event->filtersPass($this->app), $schedule->events()));
            },
            // FakeTest runs it, with the page that it asks for.
            'function test_the_portal_is_hidden_without_the_flag' => function (): void {
                self::assertTrue(\method_exists(FakeTest::class, 'test_the_readmes_own_test_passes_as_it_stands'));
            },
            "new Variant('compact'" => function (string $block): void {
                $this->evaluate($block);
                self::assertSame([true, false], \array_map(fn (int $id): bool => Flagstone::for($id)->enabled('customer_portal'), [15, 42]));
                self::assertSame(['compact', ['columns' => 2]], [Flagstone::variant('checkout'), Flagstone::value('checkout')]);
            },
            'App\Models\Company::class => ' => function (string $block): void {
                $pennant = $this->pennant($this->evaluate('return [' . \strtr($block, ['App\Models' => '\Flagstone\Laravel\Tests\Support']) . '];'));
                self::assertSame([true, false], [$pennant->get('customer_portal', $this->company), $pennant->get('customer_portal', $this->asker(16))]);
            },
            "'fallback' => 'database'" => function (string $block): void {
                $config = $this->evaluate('return [' . $block . '];');
                self::assertSame(['scopes', 'fallback'], \array_keys($config['pennant']));
                self::assertSame([], \array_diff_key($config['pennant'], (require __DIR__ . '/../config/flagstone.php')['pennant']));
            },
            "Schedule::command('feature:tick')" => function (string $block): void {
                $this->evaluate($block);
                $events = $this->app->make(Schedule::class)->events();
                self::assertStringContainsString('feature:tick', (string) \end($events)->command);
                self::assertSame('* * * * *', \end($events)->expression);
            },
            "if (feature_enabled('customer_portal', \$companyId))" => function (string $block): void {
                foreach ([15 => true, 16 => null] as $company => $ran) {
                    $line = 'use function feature_enabled; ' . \str_replace('…', '$ran = true;', $block) . ' return $ran ?? null;';
                    self::assertSame($ran, $this->evaluate($line, ['companyId' => $company]));
                }
            },
            "Route::get('/portal', PortalController::class)" => function (string $block): void {
                $this->evaluate($block);
                $this->guarded('/portal');
            },
            'Process::useFile(' => function (string $block): void {
                $folder = Store::directory();
                \file_put_contents("$folder/flags.json", '{"flags": {"from_a_file": true}}');
                $this->evaluate(\str_replace('__DIR__', \var_export($folder, true), "\\$block"));
                try {
                    self::assertTrue(Process::enabled('from_a_file', null, []));
                } finally {
                    Process::useFile(null);
                }
            },
        ];
    }

    public function test_every_snippet_of_php_is_run(): void
    {
        $played = [];
        foreach (self::PAGES as $page) {
            foreach ((new Document($page))->blocks('php') as $block) {
                $names = \array_filter(\array_keys($this->runners()), static fn (string $name): bool => \str_contains($block, $name));
                self::assertCount(1, $names, "$page shows PHP that nothing here runs, or several do:\n$block");
                $this->tearDown();
                $this->setUp();
                $this->runners()[\reset($names)]($block);
                $played[] = \reset($names);
            }
        }
        self::assertSame([], \array_diff(\array_keys($this->runners()), $played), 'no page shows these any more');
    }

    public function test_every_snippet_of_blade_is_rendered(): void
    {
        $blocks = [];
        foreach (self::PAGES as $page) {
            $blocks = [...$blocks, ...(new Document($page))->blocks('blade')];
        }
        $inline = (new Document('laravel/README.md'))->inline();
        $blocks = [...$blocks, ...\array_values(\preg_grep('/^@flagstone\w+\(.*@end/', $inline) ?: [])];
        self::assertCount(3, $blocks);
        $ability = \array_values(\preg_grep('/^@can\(/', $inline) ?: []);
        self::assertCount(1, $ability);
        foreach ([...$blocks, "$ability[0] … @endcan"] as $number => $block) {
            $file = $this->app->resourcePath("views/snippet$number.blade.php");
            \file_put_contents($file, (string) \preg_replace('/…/', 'Portal', $block, 1));
            foreach ([15 => true, 16 => false] as $company => $shows) {
                Auth::setUser($this->asker($company));
                self::assertSame($shows, \str_contains((string) \view("snippet$number"), 'Portal'), $block);
            }
            \unlink($file);
        }
    }

    /** Calls with arguments that stand within sentences. */
    public function test_every_call_within_a_sentence_is_run(): void
    {
        $rule = "'format' => ['feature:xlsx_export']";
        self::assertContains($rule, (new Document('laravel/README.md'))->inline());
        foreach ([15 => true, 16 => false] as $company => $passes) {
            Auth::setUser($this->asker($company));
            self::assertSame($passes, Validator::make(['format' => 'x'], $this->evaluate("return [$rule];"))->passes());
        }
        Auth::setUser($this->asker(15));
        Route::get('/portal', fn () => 'page')->middleware('feature:customer_portal');
        $user = $this->asker(15);
        $with = ['user' => $user, 'company' => $this->company];
        $expected = [
            'CheckFeatureFlag::using(Feature::CustomerPortal)' => CheckFeatureFlag::class . ':customer_portal',
            "\$company->hasFeature('customer_portal')" => true,
            "Gate::authorize('feature', 'customer_portal')" => fn ($answer): bool => $answer->allowed(),
            "Gate::allows('feature', ['customer_portal', \$company])" => true,
            "\$user->can('feature', 'customer_portal')" => true,
            'Gate::forUser($user)' => fn ($gate): bool => $gate->allows('feature', 'customer_portal'),
            'Flagstone::for(null)' => fn ($questions): bool => !$questions->enabled('customer_portal'),
            "Subject::unknown('the tenants are down')" => fn ($subject): bool => $subject instanceof Subject,
            "CheckFeatureFlag::whenInactive(fn (\$request, \$flags) => response('Not yet', 403))" => function (): bool {
                return $this->actingAs($this->asker(16))->get('/portal')->assertStatus(403)->getContent() === 'Not yet';
            },
            "\$this->withFeatures(['customer_portal' => true])" => fn (): bool => Flagstone::for(16)->enabled('customer_portal'),
            'Flagstone::fake([...], otherwise: true)' => fn (): bool => Flagstone::for(16)->enabled('checkout'),
        ];
        $elsewhere = [
            // Composer's, Pennant's, which PennantTest runs, and those of an application's own code.
            "Feature::active('customer_portal')", 'Feature::for($user)',
            'uses(WithFeatures::class)', '$schedule->command(…)', 'config("features.$name")', 'crc32($id) % 100', 'crc32($company) % 100 < $percentage',
            "for('')",
        ];
        $found = [];
        foreach (self::PAGES as $page) {
            $calls = \preg_grep('/^(?:\$?\w+(?:::|->))+\w+\([^)]|^\w+\([^)]/', (new Document($page))->inline()) ?: [];
            $found = [...$found, ...\array_diff($calls, $elsewhere)];
        }
        $found = \array_values(\array_unique(\preg_grep('/^feature_|^flagstone_/', $found, \PREG_GREP_INVERT) ?: []));
        self::assertSame([], \array_diff($found, \array_keys($expected)), 'calls that nothing here runs');
        self::assertSame([], \array_diff(\array_keys($expected), $found), 'no page has these any more');
        foreach ($expected as $call => $is) {
            $testing = new class('') {
                use \Flagstone\Laravel\Testing\WithFeatures {
                    withFeatures as public;
                }
            };
            $answer = $this->evaluate('return ' . \strtr($call, ['[...]' => '[]', '$this' => '$testing']) . ';', $with + ['testing' => $testing]);
            self::assertSame($is instanceof Closure ? true : $is, $is instanceof Closure ? $is($answer) : $answer, $call);
        }
    }

    /** @param array<string, mixed> $with variables */
    private function evaluate(string $code, array $with = []): mixed
    {
        return (static function (string $__code, array $__with): mixed {
            \extract($__with);

            return eval($__code);
        })(self::AROUND . (string) \preg_replace('/^use .*;$/m', '', $code), $with);
    }

    private function asker(int $company): User
    {
        $user = $this->user($company);

        return $user->setRelation('company', (new Company())->forceFill(['id' => $company, 'plan' => null]));
    }

    /** The page is the pilot's alone. */
    private function guarded(string $path): void
    {
        $this->actingAs($this->asker(15))->get($path)->assertOk();
        $this->actingAs($this->asker(16))->get($path)->assertNotFound();
    }

    /** @param array<string, mixed> $config of the package */
    private function pennant(array $config): Driver
    {
        foreach (['Contracts\Driver', 'Contracts\CanListStoredFeatures', 'Contracts\DefinesFeaturesExternally', 'Events\UnknownFeatureResolved', 'FeatureManager'] as $double) {
            if (!\class_exists("Laravel\\Pennant\\$double") && !\interface_exists("Laravel\\Pennant\\$double")) {
                require_once __DIR__ . '/doubles/Pennant/' . \basename(\str_replace('\\', '/', $double)) . '.php';
            }
        }
        foreach ($config as $key => $value) {
            $this->app->make('config')->set("flagstone.$key", $value);
        }
        $this->app->singleton(FeatureManager::class);
        // The page's own way to choose the store.
        $named = \array_values(\preg_grep('/PENNANT_STORE=/', (new Document('laravel/README.md'))->blocks('ini')) ?: []);

        return $this->app->make(FeatureManager::class)->store(\trim(\explode('=', $named[0])[1]));
    }
}
