<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Tests\Support\Artisan;
use Illuminate\Foundation\Application;

/**
 * Rollout plans, moved from artisan.
 */
final class PlanTest extends TestCase
{
    use Artisan;

    protected function configure(Application $app): void
    {
        $this->ownStore($app, [
            'portal' => [
                'enabled' => false,
                'rollout' => ['percentage' => 0],
                'plan' => ['stages' => [
                    ['companies' => [15], 'soak' => '7d'],
                    ['percentage' => 50, 'soak' => '7d'],
                    ['percentage' => 100],
                ]],
            ],
        ]);
    }

    public function test_a_plan_goes_from_its_pilots_to_everybody(): void
    {
        $on = fn (int $company): bool => $this->app->make('flagstone')->for($company)->enabled('portal');

        self::assertSame(0, $this->artisanCode('feature:plan show'));
        self::assertStringContainsString('not started, 3 stages', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:plan start portal --reason="the pilots agreed"'));
        self::assertSame([true, false], [$on(15), $on(16)]);
        self::assertSame(0, $this->artisanCode('feature:tick'));
        self::assertSame('', \trim($this->printed));
        self::assertSame(0, $this->artisanCode('feature:tick --at=2100-01-01T00:00:00Z --dry-run'));
        self::assertStringContainsString('portal: stage 2 of 3, 50 %; would be published', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:tick --at=2100-01-01T00:00:00Z'));
        self::assertSame(0, $this->artisanCode('feature:plan hold portal --reason=errors'));
        self::assertSame(0, $this->artisanCode('feature:plan show portal --json'));
        self::assertSame('errors', \json_decode($this->printed, true)['held']['reason']);
        self::assertSame(0, $this->artisanCode('feature:plan resume portal'));
        self::assertSame(0, $this->artisanCode('feature:plan advance portal --reason="all is well"'));
        self::assertTrue($on(16));
    }

    public function test_what_people_changed_goes_only_where_they_say_so(): void
    {
        self::assertSame(0, $this->artisanCode('feature:plan start portal'));
        self::assertSame(0, $this->artisanCode('feature:allow portal 42'));
        self::assertStringContainsString('its plan is held with this', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:plan abort portal'));
        self::assertSame(0, $this->artisanCode('feature:plan abort portal --yes'));
        self::assertFalse($this->app->make('flagstone')->for(15)->enabled('portal'));
    }

    public function test_a_subcommand_that_is_unknown_or_lacks_its_flag_is_refused(): void
    {
        self::assertSame(1, $this->artisanCode('feature:plan begin portal'));
        self::assertStringContainsString('there are show, start, hold', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:plan start'));
        self::assertStringContainsString('needs the flag', $this->printed);
    }
}
