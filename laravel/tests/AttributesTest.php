<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Closure;
use Flagstone\Laravel\Exceptions\IncomparableAttribute;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Queue\RequiresFeature;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\NotesFlag;
use Flagstone\Laravel\Tests\Support\Plan;
use Flagstone\Laravel\Warnings;
use Illuminate\Foundation\Application;
use Illuminate\Support\Carbon;
use Illuminate\Support\Collection;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Log;
use Illuminate\Support\HtmlString;
use Illuminate\Support\Str;

/**
 * Attributes are enums, times and models where applications have them. What cannot be compared turns nothing on, and is said.
 */
final class AttributesTest extends TestCase
{
    /** Null: as the environment has it. */
    /** By attribute: a flag that reads it. */
    private const FLAGS = ['plan' => 'not_free', 'seats' => 'by_seats', 'trial' => 'by_trial', 'version' => 'by_version'];

    private ?string $unknown = null;

    private string $environment = 'testing';

    private bool $debug = false;

    /** @var list<string> */
    private array $logged = [];

    protected function configure(Application $app): void
    {
        $app->instance('env', $this->environment);
        $app->make('config')->set('app.debug', $this->debug);
        $app->make('config')->set('queue.default', 'database');
        JobsTable::configure($app);
    }

    protected function flagstone(): array
    {
        return ['unknown' => $this->unknown];
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->start('testing');
    }

    public function test_enums_times_and_texts_are_compared_as_what_they_stand_for(): void
    {
        // The rule that keeps free customers out let them in where the plan was an enum.
        $this->assertFalse(Flagstone::for(15, ['plan' => Plan::Free])->enabled('not_free'));
        $this->assertTrue(Flagstone::for(15, ['plan' => Plan::Pro])->enabled('not_free'));
        $this->assertTrue(Flagstone::enabled('not_free', ['plan' => Str::of('pro')]));
        $this->assertFalse(Flagstone::enabled('not_free', ['plan' => new HtmlString('free')]));
        $this->assertFalse(Flagstone::enabled('not_free'));
        $this->assertTrue(Flagstone::enabled('by_trial', ['trial' => Carbon::parse('2026-12-01T09:00:00.5+01:00')]));
        $this->assertFalse(Flagstone::enabled('by_trial', ['trial' => Carbon::parse('2026-12-01T09:00:00+01:00')->toImmutable()]));
        $this->assertSame(Flagstone::for(15, ['team' => 'pro'])->variant('by_team'), Flagstone::for(15, ['team' => Plan::Pro])->variant('by_team'));
    }

    /** @return array<string, array{string, mixed, string}> */
    public static function incomparable(): array
    {
        $unlike = 'and cannot be compared: the condition is unknown, and its rule does not hold. Pass an int, float, string or bool, a backed enum,'
            . ' a DateTimeInterface, or a Stringable without toArray().';

        return [
            'a model' => ['plan', new Support\User(['id' => 1]), 'an object of ' . Support\User::class . ", $unlike"],
            'a collection' => ['plan', new Collection(['pro']), 'an object of ' . Collection::class . ", $unlike"],
            'a list' => ['plan', ['pro'], "an array, $unlike"],
            'a closure' => ['plan', static fn () => 'pro', "an object of Closure, $unlike"],
            'a decimal' => ['seats', '25.00', 'a string, but is compared as a number: the condition is unknown, and its rule does not hold. Pass a number.'],
            'a date without a time' => ['trial', '2026-05-01', 'a string, but is compared as a time: the condition is unknown, and its rule does not hold. Pass a time.'],
            'a text that is no version' => ['version', 'dev-main', 'a string, but is compared as a version: the condition is unknown, and its rule does not hold. Pass a version.'],
        ];
    }

    /** @dataProvider incomparable */
    #[\PHPUnit\Framework\Attributes\DataProvider('incomparable')]
    public function test_in_local_and_testing_it_is_an_exception(string $attribute, mixed $value, string $message): void
    {
        $flag = self::FLAGS[$attribute];
        foreach (['local', 'testing'] as $environment) {
            $this->start($environment);
            foreach ($this->questions($flag, [$attribute => $value]) as $name => $question) {
                try {
                    $question();
                    $this->fail("$name, $environment");
                } catch (IncomparableAttribute $problem) {
                    $this->assertSame("Flag \"$flag\" reads the attribute \"$attribute\", which is $message", $problem->getMessage(), $name);
                    $this->assertSame([$flag, $attribute], [$problem->flag, $problem->attribute]);
                }
            }
            // Of the attributes that the flag reads.
            $this->assertFalse(Flagstone::enabled($attribute === 'trial' ? 'by_seats' : 'by_trial', [$attribute => $value]));
            $this->assertNotSame([], Flagstone::explain($flag, [$attribute => $value])['unknown']);
        }
    }

    /** @dataProvider incomparable */
    #[\PHPUnit\Framework\Attributes\DataProvider('incomparable')]
    public function test_elsewhere_it_is_off_and_one_line_a_minute(string $attribute, mixed $value, string $message): void
    {
        $flag = self::FLAGS[$attribute];
        $this->start('production');
        foreach ($this->questions($flag, [$attribute => $value]) as $question) {
            $this->assertContains($question(), [false, null, 'default', []]);
        }
        $line = "Flag \"$flag\" reads the attribute \"$attribute\", which is $message";
        $this->assertSame([$line], $this->logged);
        $this->anotherProcess();
        Flagstone::enabled($flag, [$attribute => $value]);
        $this->assertSame([$line], $this->logged);
        $this->warningsAge(61);
        $this->anotherProcess();
        Flagstone::enabled($flag, [$attribute => $value]);
        $this->assertSame([$line, $line], $this->logged);
    }

    public function test_an_attribute_that_is_comparable_costs_no_line(): void
    {
        $this->start('production');
        foreach ([Plan::Free, 'free', null, Str::of('free')] as $plan) {
            $this->assertFalse(Flagstone::for(15, ['plan' => $plan])->enabled('not_free'));
        }
        $this->assertSame([], $this->logged);
    }

    public function test_a_queued_job_gets_the_answers_of_its_dispatcher(): void
    {
        $this->start('testing', 'log');
        $values = [Plan::Free, Plan::Pro, Carbon::parse('2026-12-01T09:00:00.5+01:00'), Str::of('pro'), new HtmlString('free'), new Collection(['pro']), ['pro'],
            static fn () => 1, new Support\User(['id' => 1]), 7.0, 25.5, \NAN, \INF, "\xff", '25.00', true, null, 'pro'];
        $flags = ['not_free', 'gone', 'by_trial', 'by_seats', 'by_team', 'many_seats'];
        $expected = [];
        foreach ($values as $value) {
            foreach ($flags as $flag) {
                Flagstone::actingFor(15, function () use ($flag, &$expected): void {
                    $expected[] = Flagstone::enabled($flag);
                    $this->push(new NotesFlag($flag));
                    $this->push((new NotesFlag($flag))->guardedBy(RequiresFeature::for($flag)->skip()));
                    if (Flagstone::enabled($flag)) {
                        $expected[] = true;
                    }
                }, ['plan' => $value, 'trial' => $value, 'seats' => $value, 'team' => $value]);
            }
        }
        $this->assertContains(true, $expected);
        $this->work();

        $this->assertSame($expected, NotesFlag::$noted);
    }

    public function test_a_jobs_own_middleware_takes_along_what_its_attributes_stand_for(): void
    {
        $this->start('testing', 'log');
        foreach ([[Plan::Free, false], [Plan::Pro, true], [static fn () => 'pro', false], [['pro'], false]] as [$plan, $on]) {
            $guard = \unserialize(\serialize(RequiresFeature::for('not_free')->company(15, ['plan' => $plan])->skip()));
            $ran = false;
            $guard->handle(new NotesFlag('not_free'), function () use (&$ran): void {
                $ran = true;
            });
            $this->assertSame($on, $ran);
        }
    }

    public function test_artisan_and_the_debugging_line_name_what_could_not_be_compared(): void
    {
        $this->assertSame(0, Artisan::call('feature:explain', ['flag' => 'by_seats', '--company' => '15', '--context' => ['seats=many']]));
        $this->assertStringContainsString('unknown       seats (is a string, expected a number)', Artisan::output());

        $this->debug = true;
        $this->start('production');
        \Illuminate\Support\Facades\Route::get('/seats', static fn () => 'page')->middleware('feature:by_seats');
        $page = Flagstone::actingFor(15, fn () => $this->get('/seats'), ['seats' => '25.00'])->assertNotFound();
        $this->assertStringContainsString('seats is a string, expected a number', (string) $page->headers->get('X-Flagstone'));
    }

    /**
     * @param array<string, mixed> $context
     * @return array<string, Closure(): mixed>
     */
    private function questions(string $flag, array $context): array
    {
        return [
            'enabled' => fn () => Flagstone::enabled($flag, $context),
            'enabled for a company' => fn () => Flagstone::for(15, $context)->enabled($flag),
            'peek' => fn () => Flagstone::peek()->enabled($flag, $context),
            'variant' => fn () => Flagstone::variant($flag, $context),
            'value' => fn () => Flagstone::value($flag, 'default', $context),
            'filter' => fn () => Flagstone::filter($flag, [15], $context),
            'acting' => fn () => Flagstone::actingFor(15, fn () => Flagstone::enabled($flag), $context),
        ];
    }

    private function start(string $environment, ?string $unknown = null): void
    {
        [$this->environment, $this->unknown] = [$environment, $unknown];
        $this->refreshApplication();
        $rule = static fn (string $attribute, array $test): array => ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [['when' => ['attribute' => $attribute] + $test]]];
        $this->publish([
            'not_free' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [['when' => ['not' => ['attribute' => 'plan', 'eq' => 'free']]]]],
            'gone' => $rule('plan', ['exists' => false]),
            'by_trial' => $rule('trial', ['after' => '2026-12-01T08:00:00Z']),
            'by_seats' => $rule('seats', ['gt' => 10]),
            'many_seats' => $rule('seats', ['gte' => 1e308]),
            'by_version' => $rule('version', ['semver_gte' => '1.0.0']),
            'by_team' => ['enabled' => true, 'rollout' => ['percentage' => 99.999, 'by' => 'team'], 'variants' => ['a' => ['weight' => 50], 'b' => ['weight' => 50]]],
        ]);
        JobsTable::create();
        NotesFlag::$noted = [];
        $this->logged = [];
        Log::listen(function (object $message): void {
            $this->logged[] = $message->message;
        });
    }

    /** Forgets what this process has said already. */
    private function anotherProcess(): void
    {
        $this->app->forgetInstance(Warnings::class);
        $this->app->forgetInstance(\Flagstone\Laravel\Flagstone::class);
        Flagstone::clearResolvedInstances();
    }

    private function push(object $job): void
    {
        $this->app->make('queue')->connection('database')->push($job);
    }

    private function work(): void
    {
        Artisan::call('queue:work', ['--stop-when-empty' => true, '--tries' => 1, '--sleep' => 0]);
    }
}
