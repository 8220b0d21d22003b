<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Testing\Variant;
use Flagstone\Laravel\Testing\WithFeatures;
use Flagstone\Laravel\Tests\Support\Feature;
use Illuminate\Support\Facades\Gate;
use Illuminate\Support\Facades\Route;
use InvalidArgumentException;
use PHPUnit\Framework\AssertionFailedError;

final class FakeTest extends TestCase
{
    use WithFeatures;

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish(['real' => true, 'portal' => false, 'theme' => true]);
    }

    public function test_a_fake_answers_everywhere_and_everything_else_is_off(): void
    {
        Flagstone::fake(['portal' => true, 'pilot' => false]);
        Route::get('/portal', fn () => 'portal')->middleware('feature:portal');
        Route::get('/real', fn () => 'real')->middleware('feature:real');

        $this->get('/portal')->assertOk();
        $this->get('/real')->assertNotFound();
        $this->assertSame([true, false, false], \array_map(feature_enabled(...), ['portal', 'real', 'pilot']));
        $this->assertTrue(Flagstone::enabled('portal') && Flagstone::possible('portal'));
        $this->assertFalse(Flagstone::enabled(Feature::Pilot));
        $this->assertSame('override', Flagstone::explain('portal')['reason']);
    }

    public function test_a_fake_answers_by_company_and_by_variant(): void
    {
        Flagstone::fake([
            'portal' => [15 => true, 'acme' => 'compact', 42 => false],
            'theme' => 'wide',
            'columns' => new Variant('compact', ['columns' => 2]),
            'rows' => [15 => new Variant('many', 100)],
        ]);

        $this->assertSame(
            [true, true, false, false],
            \array_map(fn ($company) => Flagstone::for($company)->enabled('portal'), [15, 'acme', 42, 43]),
        );
        $this->assertSame(['compact', 'wide'], [Flagstone::for('acme')->variant('portal'), Flagstone::variant('theme')]);
        $this->assertSame(['columns' => 2], Flagstone::value('columns'));
        $this->assertSame([100, 'none'], [Flagstone::for(15)->value('rows'), Flagstone::for(16)->value('rows', 'none')]);
        $this->assertSame([1 => '15', 3 => 'acme'], Flagstone::filter('portal', [1 => '15', 2 => 42, 3 => 'acme']));
        $this->assertSame([true, false], [feature_enabled('portal', 15), feature_enabled('portal', 42)]);
    }

    public function test_everything_else_can_be_on_or_as_the_definitions_say(): void
    {
        Flagstone::fake(['portal' => false], otherwise: true);
        $this->assertSame([false, true], [Flagstone::enabled('portal'), Flagstone::enabled('anything')]);

        Flagstone::fake(['portal' => true], otherwise: null);
        $this->assertSame([true, true], [Flagstone::enabled('portal'), Flagstone::enabled('real')]);
        $this->assertSame('full', Flagstone::explain('real')['reason']);
    }

    /** @return iterable<string, array{array<array-key, mixed>, string}> */
    public static function mistakes(): iterable
    {
        yield 'a list' => [['portal', 'real'], "found \"portal\" in a list, expected answers by flag: ['portal' => true]"];
        yield 'a flag without its answer' => [['real' => true, 'portal'], 'found "portal" in a list'];
        foreach (['false', 'TRUE', 'off', '0', ''] as $text) {
            yield "the text \"$text\"" => [['portal' => $text], "the answer for \"portal\" is the text \"$text\""];
            yield "the text \"$text\" for a company" => [['portal' => [15 => $text]], "the text \"$text\""];
        }
    }

    /**
     * @dataProvider mistakes
     * @param array<array-key, mixed> $answers
     */
    #[\PHPUnit\Framework\Attributes\DataProvider('mistakes')]
    public function test_an_answer_that_was_hardly_meant_is_refused(array $answers, string $why): void
    {
        // ['portal'] faked a flag "0", and 'false' was a variant of that name: on.
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage($why);
        Flagstone::fake($answers);
    }

    public function test_a_failed_assertion_names_what_was_faked_and_not_asked_for(): void
    {
        $fake = Flagstone::fake(['protal' => true, 'real' => true]);
        Flagstone::enabled('portal');
        $this->expectException(AssertionFailedError::class);
        $this->expectExceptionMessage('Faked, and not asked for: protal, real.');
        $fake->assertAsked('theme');
    }

    public function test_what_was_asked_can_be_asserted(): void
    {
        $fake = Flagstone::fake(['portal' => true]);
        $fake->assertNothingAsked();
        Flagstone::for(15)->enabled('portal', ['plan' => 'pro']);
        Flagstone::for(16)->enabled('portal');

        $fake->assertAsked('portal');
        $fake->assertAsked('portal', '15');
        $fake->assertAsked('portal', fn ($company, $context) => $context === ['plan' => 'pro']);
        $fake->assertAskedTimes('portal', 2);
        $fake->assertNotAsked(Feature::Pilot);
        $fake->assertNotAsked('portal', 17);
        // A model was taken for its JSON, which no company is.
        $company = (new Support\Company())->forceFill(['id' => 15]);
        foreach ([$company, $this->user(15)] as $whom) {
            $fake->assertAsked('portal', $whom);
        }
        $fake->assertNotAsked('portal', $this->user(17));
        foreach ([
            'Flag "pilot" was not asked for. Asked for: portal (companies: 15, 16).' => fn () => $fake->assertAsked(Feature::Pilot),
            'Flag "portal" was not asked for in that way.' => fn () => $fake->assertAsked('portal', 17),
            'Flag "portal" was asked for.' => fn () => $fake->assertNotAsked('portal'),
            'Flag "portal" was asked for in that way.' => fn () => $fake->assertNotAsked('portal', 15),
            'asked for in that way' => fn () => $fake->assertNotAsked('portal', $company),
            'was asked for 2 times, expected 3' => fn () => $fake->assertAskedTimes('portal', 3),
            'Flags were asked for.' => fn () => $fake->assertNothingAsked(),
        ] as $message => $assertion) {
            try {
                $assertion();
            } catch (AssertionFailedError $failure) {
                $this->assertStringContainsString($message, $failure->getMessage());
                continue;
            }
            $this->fail("expected: $message");
        }
    }

    public function test_a_fake_ends_with_its_application_even_while_somebody_holds_it(): void
    {
        $fake = Flagstone::fake(['portal' => true]);
        $this->assertTrue(feature_enabled('portal') && $fake->enabled('portal'));

        $this->app->flush();
        $this->assertFalse(feature_enabled('portal'));
        $this->assertFalse(flagstone_status()['overridden']);

        $this->refreshApplication();
        $this->assertTrue(Flagstone::enabled('real'));
    }

    public function test_an_earlier_fake_does_not_end_a_later_one(): void
    {
        Flagstone::fake(['portal' => false]);
        $earlier = $this->app->make('flagstone.fake');
        Flagstone::fake(['portal' => true]);
        unset($earlier);
        \gc_collect_cycles();

        $this->assertTrue(Flagstone::enabled('portal') && feature_enabled('portal'));
    }

    public function test_with_features_adds_to_the_definitions_and_to_itself(): void
    {
        $this->withFeatures(['portal' => [15 => true]])->withFeature(Feature::Pilot)->withoutFeature('theme');

        $this->assertSame([true, false], [Flagstone::for(15)->enabled('portal'), Flagstone::for(16)->enabled('portal')]);
        $this->assertSame(
            ['real' => true, 'pilot' => true, 'theme' => false],
            \array_map(fn ($flag) => Flagstone::enabled($flag), ['real' => 'real', 'pilot' => 'pilot', 'theme' => 'theme']),
        );
        $this->assertSame([true, true, false], \array_map(feature_enabled(...), ['real', 'pilot', 'theme']));

        $this->forgetFeatures();
        $this->assertFalse(feature_enabled('pilot'));
    }

    public function test_a_typo_does_not_look_like_off_where_there_are_definitions(): void
    {
        Flagstone::fake(['portal' => true]);
        $this->assertFalse(Flagstone::enabled('theme'));

        $this->expectException(UnknownFlag::class);
        $this->expectExceptionMessage('Unknown flag "portla": did you mean "portal"?');
        Flagstone::enabled('portla');
    }

    public function test_an_answer_that_is_none_is_refused_with_its_flag(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('Flagstone::fake(): the answer for "portal" is int, expected true, false');
        Flagstone::fake(['portal' => 1]);
    }

    public function test_a_fake_stands_in_for_a_driver_that_this_machine_does_not_have(): void
    {
        $drivers = new Drivers($this->app, ['driver' => 'of another machine']);
        $this->app->instance(Drivers::class, $drivers);
        $this->app->forgetInstance(\Flagstone\Laravel\Flagstone::class);
        Flagstone::clearResolvedInstances();
        Flagstone::fake(['portal' => true]);

        $this->assertTrue(Flagstone::enabled('portal'));
    }

    public function test_a_fake_stands_in_for_the_driver_file_too(): void
    {
        \config(['flagstone.driver' => 'file']);
        $drivers = new Drivers($this->app, ['driver' => 'file', 'file' => '/nonexistent/flags.json']);
        Flagstone::setDriver($drivers->make());
        Flagstone::fake(['portal' => [15 => true]]);

        $this->assertSame([true, false], [Flagstone::for(15)->enabled('portal'), Flagstone::for(16)->enabled('portal')]);
        $this->assertFalse(Flagstone::enabled('unheard of'));
        \Flagstone\Polyfill\Process::useFile(null);
    }

    public function test_the_readmes_own_test_passes_as_it_stands(): void
    {
        // A route whose flag is off for all is refused before its middleware ask, and the fake had noted nothing.
        Route::get('/portal', fn () => 'portal')->middleware(['auth', 'feature:customer_portal']);
        $user = $this->user(15);
        $readme = (string) \file_get_contents(__DIR__ . '/../README.md');
        self::assertSame(1, \preg_match('/public function test_the_portal_is_hidden_without_the_flag\(\): void\n\{\n(.*?)^}/ms', $readme, $body));
        $run = eval('use Flagstone\Laravel\Facades\Flagstone; return function () use ($user): void {' . $body[1] . '};');
        $run->call($this);
    }

    public function test_every_way_of_asking_is_noted(): void
    {
        Route::get('/off', fn () => 'page')->middleware('feature:portal');
        Route::get('/pilot', fn () => 'page')->middleware('feature:theme');
        Route::get('/any', fn () => 'page')->middleware('feature:portal|theme');
        $ways = [
            fn () => Flagstone::enabled('portal'), fn () => Flagstone::variant('portal'), fn () => Flagstone::value('portal'), fn () => Flagstone::explain('portal'),
            fn () => Flagstone::all(), fn () => Flagstone::possible('portal'), fn () => Flagstone::peek()->enabled('portal'), fn () => Flagstone::peek()->variant('portal'),
            fn () => Flagstone::filter('portal', [15]), fn () => Gate::allows('feature', 'portal'), fn () => $this->get('/off'), fn () => $this->get('/any'),
            fn () => \Illuminate\Support\Facades\Blade::check('flagstone', 'portal'), fn () => \Illuminate\Support\Facades\Blade::check('flagstonepeek', 'portal'),
            fn () => \validator(['a' => 1], ['a' => 'feature:portal'])->passes(), fn () => Flagstone::shared()->toArray(),
            fn () => \dispatch_sync((new Support\NotesFlag('theme'))->guardedBy(\Flagstone\Laravel\Queue\RequiresFeature::for('portal')->skip())),
        ];
        \config(['flagstone.share' => ['portal']]);
        $this->actingAs($this->user(15));
        foreach ([false, true] as $on) {
            foreach ($ways as $number => $ask) {
                $fake = Flagstone::fake(['portal' => $on, 'theme' => true]);
                $fake->assertNothingAsked();
                $ask();
                $fake->assertAsked('portal');
                $fake->assertAsked('portal', 15);
                $fake->assertNotAsked('portal', 16);
                try {
                    $fake->assertNotAsked('portal');
                    self::fail("way $number is not noted");
                } catch (AssertionFailedError $error) {
                    self::assertStringContainsString('was asked for', $error->getMessage());
                }
            }
        }
        $fake = Flagstone::fake(['portal' => false, 'theme' => true]);
        $this->get('/off')->assertNotFound();
        $this->get('/pilot')->assertOk();
        $fake->assertAskedTimes('portal', 1);
        $fake->assertAskedTimes('theme', 1);
        $this->get('/off')->assertNotFound();
        $fake->assertAskedTimes('portal', 2);
    }

    public function test_tests_answer_from_the_file_alone_unless_a_driver_is_named(): void
    {
        $folder = Support\Store::unused('testing');
        \mkdir($folder);
        \file_put_contents("$folder/flags.json", '{"flags": {"portal": false}}');
        \file_put_contents("$folder/flags.local.json", '{"flags": {"portal": true}}');
        $config = ['driver' => null, 'store' => Support\Store::path(), 'file' => "$folder/flags.json", 'overlay' => "$folder/flags.local.json"];
        $drivers = new Drivers($this->app, $config);
        self::assertSame('file', $drivers->chosen());
        self::assertFalse($drivers->make()->enabled('portal'), 'the overlay decides no test');
        self::assertFalse($drivers->make()->enabled('portal', 15), 'and no store does');
        self::assertSame('store', (new Drivers($this->app, ['driver' => 'store'] + $config))->chosen());

        $this->app->detectEnvironment(fn (): string => 'local');
        self::assertTrue($drivers->make('file')->enabled('portal'));
        \Flagstone\Polyfill\Process::useFile(null);
    }
}
