<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\Tests\Support\Artisan;
use Illuminate\Foundation\Application;
use RuntimeException;

/**
 * Changes of flags reach the application's listeners, wherever they were made.
 */
final class AnnounceTest extends TestCase
{
    use Artisan;

    protected function configure(Application $app): void
    {
        $this->ownStore($app, ['portal' => ['enabled' => true, 'rollout' => ['percentage' => 10]]]);
        $place = $app->storagePath() . '/framework/flagstone-notified.json';
        if (\is_file($place)) {
            \unlink($place);
        }
        if (!\is_dir(\dirname($place))) {
            \mkdir(\dirname($place), 0o755, true);
        }
    }

    public function test_each_change_is_dispatched_once_and_in_order_with_who_and_why(): void
    {
        $got = [];
        $this->app->make('events')->listen(FlagChanged::class, static function (FlagChanged $event) use (&$got): void {
            $got[] = $event;
        });
        self::assertSame(0, $this->artisanCode('feature:announce'), $this->printed);
        self::assertSame([], $got, 'what was before the first time is not told');
        self::assertSame(0, $this->artisanCode('feature:rollout portal 20 --reason="all is well"'));
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason="wrong totals"'));
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertStringContainsString('events: told of 2', $this->printed);
        self::assertSame(['rollout', 'kill'], \array_column($got, 'action'));
        self::assertSame(['portal', 'all is well', 20], [$got[0]->flag, $got[0]->reason, $got[0]->differences[0]['after']]);
        self::assertTrue($got[1]->isEmergency());
        self::assertMatchesRegularExpression('/^[0-9a-f]{32}-[0-9]+-[0-9]+$/', $got[1]->id);
        self::assertStringEndsWith('-' . \preg_replace('/[^0-9]+/', '', $got[1]->at), $got[1]->id);
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertCount(2, $got);
    }

    public function test_a_listener_that_fails_gets_the_change_again(): void
    {
        $tries = [];
        $this->app->make('events')->listen(FlagChanged::class, static function (FlagChanged $event) use (&$tries): void {
            $tries[] = $event->id;
            \count($tries) > 1 || throw new RuntimeException('the mail server is away');
        });
        self::assertSame(0, $this->artisanCode('feature:announce'));
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        self::assertSame(1, $this->artisanCode('feature:announce'));
        self::assertStringContainsString('the mail server is away', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:announce'), 'not before its time');
        self::assertCount(1, $tries);
        self::assertSame(0, $this->artisanCode('feature:announce --now'), $this->printed);
        self::assertCount(2, $tries);
        self::assertSame($tries[0], $tries[1]);
    }
}
