<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Pennant\FlagstoneDriver;
use Flagstone\Laravel\Pennant\ManagedExternally;
use Flagstone\Laravel\Pennant\PennantStore;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Testing\Variant;
use Flagstone\Laravel\Tests\Support\Firm;
use Flagstone\Laravel\Tests\Support\Member;
use Flagstone\Laravel\Tests\Support\User;
use Illuminate\Foundation\Application;
use Illuminate\Log\Events\MessageLogged;
use Illuminate\Support\Facades\Event;
use Laravel\Pennant\Contracts\Driver;
use Laravel\Pennant\Events\UnknownFeatureResolved;
use Laravel\Pennant\FeatureManager;

final class PennantTest extends TestCase
{
    private Driver $pennant;

    protected function flagstone(): array
    {
        return ['pennant' => ['scopes' => [
            Firm::class => 'company',
            User::class => 'user:company_id',
            Member::class => 'user:firm_id',
            \ArrayObject::class => Support\SiteScope::class,
            'string' => 'company',
        ]]];
    }

    protected function configure(Application $app): void
    {
        $doubles = ['Contracts\Driver', 'Contracts\CanListStoredFeatures', 'Contracts\DefinesFeaturesExternally',
            'Events\UnknownFeatureResolved', 'FeatureManager'];
        foreach ($doubles as $double) {
            if (!\class_exists("Laravel\\Pennant\\$double") && !\interface_exists("Laravel\\Pennant\\$double")) {
                require_once __DIR__ . '/doubles/Pennant/' . \basename(\str_replace('\\', '/', $double)) . '.php';
            }
        }
        $app->singleton(FeatureManager::class);
        $app->make('config')->set('pennant.default', 'flagstone');
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 'acme']]],
            'everyone' => true,
            'theme' => ['enabled' => true, 'variants' => ['compact' => ['weight' => 100, 'value' => ['columns' => 2]]]],
            'plain' => ['enabled' => true, 'variants' => ['wide' => ['weight' => 100]]],
            'shut' => ['enabled' => true, 'variants' => ['none' => ['weight' => 100, 'value' => false]]],
            'plan' => ['rollout' => ['percentage' => 0], 'rules' => [['when' => ['attribute' => 'plan', 'eq' => 'pro']]]],
        ]);
        $this->pennant = $this->app->make(FeatureManager::class)->store('flagstone');
    }

    public function test_pennant_finds_the_driver_and_the_store_by_name(): void
    {
        $this->assertInstanceOf(FlagstoneDriver::class, $this->pennant);
        $this->assertSame(['driver' => 'flagstone'], \config('pennant.stores.flagstone'));
    }

    public function test_a_scope_is_what_the_configuration_says(): void
    {
        $company = new Firm(['id' => 15, 'plan' => 'pro']);
        foreach ([$company, $this->user(15), new Subject(15), 'acme', new \ArrayObject([15])] as $scope) {
            $this->assertTrue($this->pennant->get('portal', $scope), \get_debug_type($scope));
        }
        foreach ([new Firm(['id' => 16]), $this->user(16), 'other', null] as $scope) {
            $this->assertFalse($this->pennant->get('portal', $scope), \get_debug_type($scope));
        }
        $this->assertTrue($this->pennant->get('plan', $company));
        $this->assertTrue($this->pennant->get('everyone', null));
    }

    public function test_a_question_without_a_scope_is_for_whoever_is_asking(): void
    {
        // In a job or in actingFor() it was asked for no company, or for the signed-in user's, so that a denied company got the feature.
        $manager = $this->app->make(FeatureManager::class);
        $asked = fn (): array => [$manager->active('portal'), Flagstone::enabled('portal')];
        $this->assertSame([false, false], $asked());
        $this->assertSame([true, true], Flagstone::actingFor(15, $asked));
        $this->assertTrue(Flagstone::actingFor(15, fn (): bool => $this->pennant->get('portal', null)));

        $user = $this->user(15);
        $this->actingAs($user);
        $this->assertSame([true, true], $asked());
        $this->assertSame([false, false], Flagstone::actingFor(16, $asked));
        $this->assertTrue(Flagstone::actingFor(16, fn (): bool => $this->pennant->get('portal', $user)), 'as Feature::for() names it');

        $this->actingAs(new Member(['id' => 1, 'firm_id' => 15]));
        $this->assertTrue($manager->active('portal'), 'only pennant.scopes knows its company');
        $this->assertFalse(Flagstone::actingFor(16, fn (): bool => $manager->active('portal')));
    }

    public function test_what_is_no_flag_and_an_applications_own_scope_are_asked_as_by_pennant(): void
    {
        $manager = $this->app->make(FeatureManager::class);
        $user = $this->user(15);
        $this->actingAs($user);
        $scopes = [];
        $this->pennant->define('legacy', function (mixed $scope) use (&$scopes): bool {
            return ($scopes[] = $scope) !== null;
        });
        $this->assertTrue(Flagstone::actingFor(16, fn (): bool => $manager->active('legacy')));
        $this->assertSame([$user], $scopes, 'the very user, with what was loaded of it');

        $manager->resolveScopeUsing(fn (): string => 'acme');
        $this->assertTrue(Flagstone::actingFor(16, fn (): bool => $manager->active('portal')));
        (new PennantStore())->register($manager, $this->app);
        $this->assertTrue(Flagstone::actingFor(16, fn (): bool => $manager->active('portal')));
    }

    public function test_any_other_scope_is_off_and_logged_and_never_a_companys_id(): void
    {
        $logged = [];
        Event::listen(MessageLogged::class, function (MessageLogged $event) use (&$logged): void {
            $logged[] = $event->message;
        });

        $this->assertFalse($this->pennant->get('portal', 15));
        $this->assertFalse($this->pennant->get('portal', 15));
        $this->assertFalse($this->pennant->get('everyone', (object) ['id' => 15]));
        $off = 'Pennant feature "%s" is off because it was asked for a scope of type %s. config/flagstone.php, pennant.scopes,'
            . ' says what company a scope is.';
        $this->assertSame([\sprintf($off, 'portal', 'int'), \sprintf($off, 'everyone', 'stdClass')], $logged);
    }

    public function test_a_flag_that_is_on_gives_its_variants_value_or_name_or_true(): void
    {
        $user = $this->user(15);
        $this->assertSame(
            [['columns' => 2], 'wide', true],
            [$this->pennant->get('theme', $user), $this->pennant->get('plain', $user), $this->pennant->get('everyone', $user)],
        );
    }

    public function test_a_flag_that_is_on_with_the_value_false_is_inactive_to_pennant(): void
    {
        $user = $this->user(15);
        $this->assertFalse($this->pennant->get('shut', $user));
        $this->assertTrue(Flagstone::for(15)->enabled('shut'));
    }

    public function test_a_fake_gives_a_test_what_a_write_would(): void
    {
        // A test was told to run a command, which changes the store of a server.
        Flagstone::fake(['portal' => [16 => true], 'everyone' => false, 'theme' => new Variant('name', 'blue')]);
        $answers = \array_map(fn (string $flag): mixed => $this->pennant->get($flag, $this->user(16)), ['portal', 'everyone', 'theme']);
        $this->assertSame([true, false, 'blue'], $answers);
    }

    public function test_a_feature_that_flagstone_lacks_falls_back_to_its_pennant_definition(): void
    {
        Event::fake([UnknownFeatureResolved::class]);
        $this->pennant->define('legacy', fn (mixed $scope): string => 'for ' . \get_debug_type($scope));
        $this->pennant->define('portal', fn (): bool => true);

        $this->assertSame('for int', $this->pennant->get('legacy', 15));
        $this->assertFalse($this->pennant->get('portal', $this->user(16)), 'Flagstone has it');
        Event::assertNotDispatched(UnknownFeatureResolved::class);

        $this->assertFalse($this->pennant->get('unheard-of', $this->user(15)));
        Event::assertDispatched(UnknownFeatureResolved::class, fn ($event): bool => $event->feature === 'unheard-of');
    }

    public function test_a_company_pays_no_attention_to_the_definition_after_the_flag_moved(): void
    {
        $this->pennant->define('moved', fn (): bool => true);
        $this->assertTrue($this->pennant->get('moved', $this->user(15)));

        $this->publish(['moved' => false]);
        $this->assertFalse($this->pennant->get('moved', $this->user(15)));
    }

    public function test_many_are_answered_in_shape_and_order(): void
    {
        [$one, $two] = [$this->user(15), $this->user(16)];
        $this->pennant->define('legacy', fn (): int => 7);

        $this->assertSame(
            ['portal' => [3 => false, 1 => true], 'legacy' => [7], 'theme' => []],
            $this->pennant->getAll(['portal' => [3 => $two, 1 => $one], 'legacy' => [$one], 'theme' => []]),
        );
    }

    public function test_it_lists_what_is_stored_and_what_is_defined(): void
    {
        $this->pennant->define('legacy', fn (): bool => true);
        $flags = ['everyone', 'plain', 'plan', 'portal', 'shut', 'theme'];

        $this->assertSame([], $this->pennant->stored());
        $this->assertSame([...$flags, 'legacy'], $this->pennant->defined());
        $this->assertSame([...$flags, 'legacy'], $this->pennant->definedFeaturesForScope(null));
    }

    public function test_writes_say_which_command_to_run(): void
    {
        foreach ([
            "php artisan feature:allow portal '15'; in a test: Flagstone::fake(['portal' => [15 => true]])" => fn () => $this->pennant->set('portal', $this->user(15), true),
            "php artisan feature:deny portal 'acme'; in a test: Flagstone::fake(['portal' => ['acme' => false]])" => fn () => $this->pennant->set('portal', 'acme', false),
            'php artisan feature:allow portal COMPANY' => fn () => $this->pennant->set('portal', 15, true),
            'write the variants of "theme" into flags.json and run php artisan feature:publish; in a test: Flagstone::fake([\'theme\' => new Variant(\'name\', $value)])' => fn () => $this->pennant->set('theme', 'acme', ['columns' => 3]),
            "php artisan feature:enable portal --percentage=100; in a test: Flagstone::fake(['portal' => true])" => fn () => $this->pennant->setForAllScopes('portal', true),
            'php artisan feature:disable portal' => fn () => $this->pennant->setForAllScopes('portal', false),
            "php artisan feature:forget portal 'acme'" => fn () => $this->pennant->delete('portal', 'acme'),
            'Pennant cannot purge "portal": its features are Flagstone\'s.' => fn () => $this->pennant->purge(['portal']),
            'Pennant cannot purge all features' => fn () => $this->pennant->purge(null),
        ] as $message => $write) {
            try {
                $write();
            } catch (ManagedExternally $problem) {
                $this->assertStringContainsString($message, $problem->getMessage());
                continue;
            }
            $this->fail("expected: $message");
        }
        $this->assertTrue(Flagstone::for(15)->enabled('portal'));
    }
}
