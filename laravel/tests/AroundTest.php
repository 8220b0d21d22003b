<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Events\FeatureAsked;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\FlagstoneServiceProvider;
use Flagstone\Laravel\Rules\FeatureEnabled;
use Flagstone\Laravel\Tests\Support\Company;
use Flagstone\Laravel\Tests\Support\Feature;
use Illuminate\Contracts\Auth\Access\Gate;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Blade;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Validator;
use InvalidArgumentException;

/**
 * The same question from views, rules, gates and models.
 */
final class AroundTest extends TestCase
{
    private bool $early = false;

    protected function configure(Application $app): void
    {
        if ($this->early) {
            $config = $app->make('config');
            $config->set('app.providers', [...\array_diff($config->get('app.providers'), [FlagstoneServiceProvider::class]), Support\LetsAdministratorsPass::class, FlagstoneServiceProvider::class]);
        }
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->setUpFlags();
    }

    private function setUpFlags(): void
    {
        $this->publish([
            'pilot' => [
                'enabled' => true,
                'rollout' => ['percentage' => 0],
                'companies' => ['allow' => [15, 'acme']],
                'variants' => ['compact' => ['weight' => 100, 'value' => ['columns' => 2]]],
            ],
            'everyone' => true,
            'nobody' => false,
        ]);
    }

    public function test_blade_shows_one_of_two_branches(): void
    {
        $view = "@flagstone('pilot') on @elseflagstone('everyone') else @endflagstone "
            . "@feature('pilot') f-on @else f-off @endfeature @unlessflagstone('pilot') none @endflagstone "
            . "@flagstone('pilot', 'acme') acme @endflagstone";

        $this->assertSame('else f-off none acme', $this->rendered($view));
        $this->actingAs($this->user(15));
        $this->assertSame('on f-on acme', $this->rendered($view));
    }

    public function test_a_field_is_prohibited_whose_flag_is_off(): void
    {
        $fails = fn (mixed ...$rules): array => Validator::make(['columns' => 2], ['columns' => $rules])
            ->errors()->all();

        $prohibited = ['The columns field is prohibited.'];
        $this->assertSame($prohibited, $fails('integer', 'feature:pilot'));
        $this->assertSame($prohibited, $fails(new FeatureEnabled(Feature::Everyone, Feature::Pilot)));
        $this->actingAs($this->user(15));
        $this->assertSame([], $fails('integer', 'feature:pilot'));
        $this->assertSame([], $fails(new FeatureEnabled(Feature::Everyone, Feature::Pilot)));
        $this->assertSame([], Validator::make([], ['columns' => 'feature:nobody'])->errors()->all());
    }

    public function test_the_gate_answers_for_guests_for_the_user_and_for_another(): void
    {
        $gate = $this->app->make(Gate::class);
        $this->assertFalse($gate->allows('feature', 'pilot'));
        $this->assertTrue($gate->allows('feature', 'everyone'));

        $this->actingAs($this->user(16));
        $this->assertFalse($gate->allows('feature', Feature::Pilot));
        $this->assertTrue($gate->forUser($this->user(15, 8))->allows('feature', Feature::Pilot));
        $this->assertFalse($gate->allows('feature', Feature::Pilot));

        $this->assertTrue($gate->inspect('feature', 'pilot')->denied());
    }

    /** Where administrators pass everything, as packages of roles have it, a flag that was killed was on for them. */
    public function test_what_is_off_is_off_for_those_who_pass_everything_else(): void
    {
        $gate = $this->app->make(Gate::class);
        $gate->before(static fn (): bool => true);
        $this->actingAs($this->user(16));
        $this->assertTrue($gate->allows('anything'));
        $this->assertFalse($gate->allows('feature', 'pilot'));
        $this->assertTrue($gate->allows('feature', 'everyone'));
        $this->assertTrue($gate->forUser($this->user(15, 8))->allows('feature', 'pilot'));
    }

    /** A provider that boots before this package's had registered its `Gate::before()` first, and was asked first. */
    public function test_what_is_off_is_off_whoever_asked_for_the_gate_first(): void
    {
        $this->early = true;
        $this->refreshApplication();
        $this->setUpFlags();
        $this->actingAs($this->user(16));
        $gate = $this->app->make(Gate::class);
        Route::get('/pilot', fn () => 'page')->middleware("can:feature,'pilot'");
        $this->assertTrue($gate->allows('anything'));
        $this->assertFalse($gate->allows('feature', 'pilot'));
        $this->get('/pilot')->assertNotFound();
    }

    /** A company given to the ability was passed over, and the user's asked for. */
    public function test_the_gate_asks_for_a_company_that_is_named(): void
    {
        $gate = $this->app->make(Gate::class);
        $this->actingAs($this->user(15));
        foreach ([[16, false], [15, true], ['acme', true], [new Company(['id' => 16]), false], [new Company(['id' => 15]), true], [null, false], [$this->user(16, 8), false]] as [$company, $on]) {
            $this->assertSame($on, $gate->allows('feature', ['pilot', $company]));
            $this->assertSame($on, $gate->forUser($this->user(15, 9))->inspect('feature', [Feature::Pilot, $company])->allowed());
        }
        $this->assertSame('off', $this->rendered("@can('feature', ['pilot', 16]) on @else off @endcan"));
        $this->expectException(InvalidArgumentException::class);
        $gate->allows('feature', ['pilot', \collect([15])]);
    }

    public function test_what_the_gate_denies_is_not_there(): void
    {
        Route::get('/pilot', fn () => 'page')->middleware("can:feature,'pilot'");
        Route::get('/asks', fn () => $this->app->make(Gate::class)->authorize('feature', Feature::Pilot)->allowed() ? 'page' : 'none');

        foreach (['/pilot', '/asks'] as $path) {
            $this->actingAs($this->user(16));
            $this->get($path)->assertNotFound()->assertDontSee('pilot');
            $this->getJson($path)->assertNotFound();
            $this->actingAs($this->user(15))->get($path)->assertOk();
        }
    }

    public function test_a_flag_that_laravel_took_for_a_models_name_is_an_error_that_says_how_to_write_it(): void
    {
        Route::get('/pilot', fn () => 'page')->middleware('can:feature,pilot');

        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage("write can:feature,'customer_portal', or the middleware feature:customer_portal");
        $this->withoutExceptionHandling()->get('/pilot');
    }

    public function test_the_company_answers_by_itself(): void
    {
        $company = new Company(['id' => 15]);

        $this->assertTrue($company->hasFeature(Feature::Pilot));
        $this->assertFalse((new Company(['id' => 16]))->hasFeature('pilot'));
        $this->assertSame('compact', $company->featureVariant('pilot'));
        $this->assertSame(['columns' => 2], $company->flagstone()->value('pilot'));
        $this->assertSame(15, $company->flagstone()->explain('pilot')['company']);
        $this->assertSame(['everyone' => true, 'nobody' => false, 'pilot' => true], $company->flagstone()->all());
    }

    public function test_the_facade_asks_all_there_is_to_ask(): void
    {
        $this->actingAs($this->user(15));

        $this->assertTrue(Flagstone::enabled(Feature::Pilot));
        $this->assertTrue(Flagstone::possible('pilot'));
        $this->assertFalse(Flagstone::possible('nobody'));
        $this->assertSame('compact', Flagstone::variant('pilot'));
        $this->assertNull(Flagstone::variant('nobody'));
        $this->assertSame(['columns' => 2], Flagstone::value('pilot', 'none'));
        $this->assertSame('none', Flagstone::value('nobody', 'none'));
        $this->assertSame('allowed', Flagstone::explain('pilot')['reason']);
        $this->assertSame(['everyone' => true, 'nobody' => false, 'pilot' => true], Flagstone::all());
        $this->assertSame(['a' => 15, 'c' => 'acme'], Flagstone::filter('pilot', ['a' => 15, 'b' => 16, 'c' => 'acme']));
        [$in, $out] = [new Company(['id' => 15]), new Company(['id' => 16])];
        $this->assertSame([$in], Flagstone::filter('pilot', \collect([$in, $out])));
    }

    public function test_one_of_two_closures_runs_and_several_flags_are_asked_at_once(): void
    {
        $on = static fn (): string => 'on';
        $off = static fn (): string => 'off';
        foreach ([15 => true, 16 => false] as $company => $has) {
            $this->actingAs($this->user($company));
            $one = $has ? 'on' : 'off';
            foreach ([Flagstone::getFacadeRoot(), Flagstone::for($company)] as $asked) {
                $this->assertSame(!$has, $asked->disabled(Feature::Pilot));
                $this->assertSame([$one, $has ? 'on' : null], [$asked->when('pilot', $on, $off), $asked->when('pilot', $on)]);
                $this->assertSame([$one, $has ? null : 'off'], [$asked->unless('pilot', $off, $on), $asked->unless('pilot', $off)]);
                $this->assertSame($has, $asked->allAreActive(['everyone', Feature::Pilot]));
                $this->assertSame([$has, true], [$asked->someAreActive(['nobody', 'pilot']), $asked->someAreActive(['pilot', 'everyone'])]);
            }
        }
        $this->assertSame([true, false], [Flagstone::allAreActive([]), Flagstone::someAreActive([])]);
    }

    public function test_a_look_counts_as_an_answer_and_tells_nobody(): void
    {
        $told = [];
        Event::listen(FeatureAsked::class, function (FeatureAsked $asked) use (&$told): void {
            $told[] = [$asked->flag, $asked->subject->company, $asked->enabled];
        });
        $counted = fn (): array => \array_intersect_key(
            Flagstone::driver()->status()['counters'],
            ['on' => 0, 'off' => 0],
        );
        $before = $counted();
        $this->assertTrue(Flagstone::peek()->enabled('everyone'));
        $this->assertFalse(Flagstone::peek()->enabled('nobody'));
        $this->assertSame('compact', Flagstone::actingFor(15, fn () => Flagstone::peek()->variant('pilot')));
        $looked = ['on' => $before['on'] + 1, 'off' => $before['off'] + 1];
        $this->assertSame([$looked, []], [$counted(), $told]);

        Flagstone::enabled('everyone');
        Flagstone::for(15)->variant('pilot');
        $this->assertSame([['everyone', null, true], ['pilot', 15, true]], $told);
    }

    private function rendered(string $view): string
    {
        \ob_start();
        eval('?>' . Blade::compileString($view));

        return \trim((string) \preg_replace('/\s+/', ' ', (string) \ob_get_clean()));
    }
}
