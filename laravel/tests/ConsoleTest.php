<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Value;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Foundation\Application;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Output\BufferedOutput;

/**
 * The commands, typed as an operator would, on a published store.
 */
final class ConsoleTest extends TestCase
{
    use Artisan;

    protected function configure(Application $app): void
    {
        $this->ownStore($app, [
            'portal' => ['enabled' => true, 'rollout' => ['percentage' => 10], 'companies' => ['allow' => [15]]],
            'beta' => false,
            'search' => true,
        ]);
    }

    public function test_a_flag_is_deleted_once_its_file_no_longer_has_it(): void
    {
        self::assertSame(1, $this->artisanCode('feature:delete beta'));
        self::assertStringContainsString('beta is in the file of definitions: take it out there', $this->printed);
        $file = Support\Store::unused('flags-without-beta.json');
        \file_put_contents($file, '{"flags": {"portal": {"rollout": {"percentage": 10}, "companies": {"allow": [15]}}, "search": true}}');
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => $file]), $this->printed);
        self::assertSame(0, $this->artisanCode('feature:delete beta --dry-run'), $this->printed);
        self::assertContains('beta', $this->app->make('flagstone')->driver()->names());
        self::assertSame(0, $this->artisanCode('feature:delete beta --reason=done'), $this->printed);
        self::assertStringContainsString('beta: off → deleted', $this->printed);
        self::assertNotContains('beta', $this->app->make('flagstone')->driver()->names());
        self::assertSame(0, $this->artisanCode('feature:delete beta'), $this->printed);
        self::assertStringContainsString('beta: deleted already; nothing was changed', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:delete beto'));
    }

    /** A question without anybody at standard input ended in "Aborted." and an exception in the log. */
    public function test_where_nobody_types_it_is_refused_with_what_is_missing(): void
    {
        $lines = [
            ['feature:kill', ['flag' => 'portal'], '--reason is missing', 2],
            ['feature:stop-all', ['--reason' => 'x'], 'nobody is there to be asked; add --yes', 1],
            ['feature:stop-all', [], '--reason is missing', 2],
        ];
        foreach ($lines as [$command, $arguments, $said, $code]) {
            $input = new ArrayInput($arguments);
            $input->setStream(\fopen('php://memory', 'rb'));
            $output = new BufferedOutput();
            self::assertSame($code, $this->app->make(Kernel::class)->all()[$command]->run($input, $output));
            self::assertStringContainsString($said, $output->fetch());
        }
        self::assertSame(0, $this->artisanCode('feature:list --json'));
        self::assertFalse(\json_decode($this->printed, true)['stopped'] ?? false);
    }

    public function test_a_program_that_calls_artisan_may_give_numbers(): void
    {
        $portal = function (string ...$path): mixed {
            self::assertSame(0, $this->artisanCode('feature:show portal --json'));

            return Value::at(\json_decode($this->printed), 'definition', ...$path);
        };

        // A percentage that is passed over means everybody.
        self::assertSame(0, $this->artisanCode('feature:enable', ['flag' => 'portal', '--percentage' => 25]));
        self::assertSame(25, $portal('rollout', 'percentage'));
        self::assertSame(0, $this->artisanCode('feature:rollout', ['flag' => 'portal', 'percentage' => 12.5, '--yes' => true]));
        self::assertSame(12.5, $portal('rollout', 'percentage'));
        self::assertSame(0, $this->artisanCode('feature:enable', ['flag' => 'portal', '--company' => [42]]));
        self::assertSame(0, $this->artisanCode('feature:deny', ['flag' => 'portal', 'company' => [7, '8']]));
        self::assertSame([15, 42], $portal('companies', 'allow'));
        self::assertSame([7, 8], $portal('companies', 'deny'));
        self::assertSame(12.5, $portal('rollout', 'percentage'));
    }

    public function test_a_flag_goes_through_its_life_by_the_commands_operators_know(): void
    {
        $on = fn (string $flag, int $company): bool => $this->app->make('flagstone')->for($company)->enabled($flag);

        self::assertSame(0, $this->artisanCode('feature enable beta --company=15'));
        self::assertStringContainsString('a pilot: on for 15, and 0 % of the others', $this->printed);
        self::assertSame([true, false], [$on('beta', 15), $on('beta', 16)]);

        self::assertSame(0, $this->artisanCode('feature enable beta --percentage=50 --company=16 --reason="second wave"'));
        self::assertTrue($on('beta', 16));
        self::assertSame(0, $this->artisanCode('feature disable beta --company=16'));
        self::assertSame([true, false], [$on('beta', 15), $on('beta', 16)]);

        self::assertSame(0, $this->artisanCode('feature enable beta --percentage=100'));
        self::assertSame([true, false], [$on('beta', 17), $on('beta', 16)], 'on for all but whom it denies');
        self::assertStringContainsString('denied, and off all the same: 16', $this->printed);

        self::assertSame(0, $this->artisanCode('feature disable beta'));
        self::assertSame([false, false], [$on('beta', 15), $on('beta', 17)]);
        self::assertSame(0, $this->artisanCode('feature:enable beta'));
        self::assertSame([true, false], [$on('beta', 17), $on('beta', 16)]);

        self::assertSame(0, $this->artisanCode('feature emergency-disable --yes --reason="wrong totals"'));
        self::assertFalse($on('search', 1));
        self::assertSame(0, $this->artisanCode('feature health'));
        self::assertStringContainsString('everything is stopped', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:resume-all'));
        self::assertTrue($on('search', 1));
        self::assertSame(0, $this->artisanCode('feature emergency-disable search --reason=slow'));
        self::assertFalse($on('search', 1));
        self::assertSame(0, $this->artisanCode('feature revive search'));
        self::assertTrue($on('search', 1));

        self::assertSame(0, $this->artisanCode('feature history --json'));
        $words = \array_column(\json_decode($this->printed, true)['changes'], 'action');
        self::assertSame(
            ['revive', 'kill', 'resume_all', 'stop_all', 'enable', 'disable', 'enable', 'disable', 'enable', 'enable'],
            \array_slice($words, 0, 10),
        );
        self::assertSame('second wave', \json_decode($this->printed, true)['changes'][8]['reason']);
    }

    public function test_lists_percentages_and_rollbacks_have_their_own_commands(): void
    {
        $enabled = fn (int|string $company): bool => $this->app->make('flagstone')->for($company)->enabled('portal');
        self::assertSame(0, $this->artisanCode('feature:rollout portal 0'));
        self::assertSame(0, $this->artisanCode('feature:allow portal 7 acme'));
        self::assertSame([true, true, true, false], [$enabled(7), $enabled('acme'), $enabled(15), $enabled(8)]);
        self::assertSame(0, $this->artisanCode('feature:deny portal 007'));
        self::assertStringContainsString('007 is a text, and not the company 7', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:forget portal 007'));
        self::assertSame(0, $this->artisanCode('feature:deny portal 7'));
        self::assertSame(0, $this->artisanCode('feature:forget portal acme'));
        self::assertSame([false, false, true], [$enabled(7), $enabled('acme'), $enabled(15)]);
        self::assertSame(0, $this->artisanCode('feature allow portal 7'));
        self::assertTrue($enabled(7));
        self::assertSame(1, $this->artisanCode('feature:rollback'));
        self::assertStringContainsString('portal turns off for 1 of the 2 companies that have it', $this->printed);
        self::assertTrue($enabled(7));
        self::assertSame(0, $this->artisanCode('feature:rollback --yes'));
        self::assertFalse($enabled(7));
        self::assertSame(0, $this->artisanCode('feature:rollout portal 100 --dry-run --json'));
        self::assertSame('portal: 0 % + 1 company, 1 denied → on, 1 denied', \json_decode($this->printed, true)['summary']);
        self::assertFalse($enabled(8));
    }

    public function test_what_is_to_be_typed_next_is_said_with_artisan_commands(): void
    {
        self::assertSame(0, $this->artisanCode('feature:kill portal --reason=x'));
        self::assertStringContainsString('until `php artisan feature:revive portal`', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:revive portal'));
        // A line without a backtick kept `flagstone`, which has no store, or another application's.
        self::assertSame(0, $this->artisanCode('feature:rollout portal 20'));
        $file = Support\Store::unused('flags-in-conflict.json');
        \file_put_contents($file, '{"flags": {"portal": {"rollout": {"percentage": 40}, "companies": {"allow": [15]}}, "search": true, "beta": false}}');
        self::assertSame(1, $this->artisanCode("feature:publish $file"), $this->printed);
        self::assertStringContainsString("as the file says: php artisan feature:publish $file --reset portal.percentage", $this->printed);
        self::assertStringContainsString("decide later: php artisan feature:publish $file --keep", $this->printed);
        self::assertStringNotContainsString('flagstone ', $this->printed);
        self::assertSame(0, $this->artisanCode("feature:publish $file --settle portal.percentage --dry-run"), $this->printed);
    }

    public function test_what_cannot_be_done_is_refused_with_a_reason_and_exit_code_1(): void
    {
        self::assertSame(1, $this->artisanCode('feature:enable protal'));
        self::assertStringContainsString('there is no flag "protal" (did you mean "portal"?)', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:enable protal --json'));
        self::assertStringContainsString('protal', \json_decode($this->printed, true)['error']);
        self::assertSame(1, $this->artisanCode('feature:rollout portal 101'));
        self::assertStringContainsString('expected a number from 0 to 100', $this->printed);
        self::assertSame(2, $this->artisanCode('feature:kill portal'));
        self::assertStringContainsString('--reason is missing', $this->printed);
        self::assertSame(1, $this->artisanCode('feature list --percentage=5'));
        self::assertStringContainsString('feature:list takes no --percentage', $this->printed);
        self::assertSame(1, $this->artisanCode('feature enable'));
        self::assertStringContainsString('needs the flag', $this->printed);
        self::assertSame(1, $this->artisanCode('feature frobnicate'));
    }

    public function test_an_option_in_a_flags_name_is_a_name(): void
    {
        self::assertSame(1, $this->artisanCode('feature:disable', ['flag' => '--store=/elsewhere']));
        self::assertStringContainsString('there is no flag "--store=/elsewhere"', $this->printed);
    }

    public function test_on_for_everybody_in_production_is_asked_first(): void
    {
        $this->app['env'] = 'production';
        $portal = fn (): bool => $this->app->make('flagstone')->for(99)->enabled('beta');
        self::assertSame(1, $this->artisanCode('feature:enable beta'));
        self::assertStringContainsString('beta: off → on', $this->printed);
        self::assertStringContainsString('--yes', $this->printed);
        self::assertFalse($portal());

        self::assertSame(1, $this->artisanTyping('feature:enable', ['flag' => 'beta'], 'no'));
        self::assertStringContainsString('Turn it on for everybody?', $this->printed);
        self::assertFalse($portal());
        self::assertSame(0, $this->artisanTyping('feature:enable', ['flag' => 'beta'], 'yes'));
        self::assertTrue($portal());

        self::assertSame(1, $this->artisanCode('feature:rollback'));
        self::assertTrue($portal());
        self::assertSame(0, $this->artisanCode('feature:rollback --yes'));
        self::assertFalse($portal());
        self::assertSame(0, $this->artisanCode('feature:enable beta --force'));
        self::assertTrue($portal());
        // What reaches some is not asked about.
        self::assertSame(0, $this->artisanCode('feature:enable portal --percentage=20'));
    }

    public function test_a_publish_takes_back_no_command_and_says_what_it_did_not_apply(): void
    {
        self::assertSame(0, $this->artisanCode('feature:rollout portal 30'));
        $file = Support\Store::unused('flags-merged.json');
        $portal = '{"rollout": {"percentage": 10}, "companies": {"allow": [15]}}';
        \file_put_contents($file, "{\"flags\": {\"portal\": $portal, \"beta\": false, \"search\": true}}");
        $percentage = function (): float {
            $this->artisanCode('feature:show portal --json');

            return \json_decode($this->printed, true)['definition']['rollout']['percentage'];
        };
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => $file]));
        self::assertStringContainsString('portal: percentage is 30 %, the file says 10 %', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:publish', ['file' => $file, '--check-drift' => true]));
        self::assertEquals(30, $percentage());
        self::assertSame(0, $this->artisanCode('feature:pull', ['file' => $file, '--dry-run' => true]), $this->printed);
        self::assertSame(0, $this->artisanCode('feature:pull', ['file' => $file]), $this->printed);
        self::assertStringContainsString('"percentage": 30', (string) \file_get_contents($file));
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => $file, '--check-drift' => true]));
        self::assertSame(0, $this->artisanCode('feature:rollout portal 40'));
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => $file, '--reset' => ['portal.percentage']]));
        self::assertEquals(30, $percentage());
        self::assertSame(1, $this->artisanCode('feature:publish', ['file' => $file, '--reset' => ['portl']]));
        self::assertSame(0, $this->artisanCode('feature:publish', ['file' => $file, '--release' => '7', '--prune' => true]));
        \file_put_contents($file, '{"flags": {"portal": 7}}');
        self::assertSame(1, $this->artisanTyping('feature:publish', ['file' => $file], 'yes'), 'errors are not asked about');
    }

    /** Whoever edits flags.json and deploys it saw "nothing to publish", and nothing changed. */
    public function test_an_edit_in_the_file_takes_effect_when_it_is_published(): void
    {
        $file = Support\Store::unused('flags-edited.json');
        $flags = ['portal' => ['enabled' => true, 'rollout' => ['percentage' => 10], 'companies' => ['allow' => [15]]], 'beta' => false, 'search' => true];
        $publish = function (array $edits) use ($file, $flags): void {
            \file_put_contents($file, \json_encode(['flags' => \array_replace($flags, $edits)]));
            self::assertSame(0, $this->artisanCode('feature:publish', ['file' => $file]), $this->printed);
        };
        $on = fn (string $flag, int $company): bool => $this->app->make('flagstone')->for($company)->enabled($flag);
        $publish([]);
        self::assertFalse($on('beta', 16));
        $publish(['beta' => true]);
        self::assertTrue($on('beta', 16));
        $publish(['beta' => true, 'portal' => ['companies' => ['allow' => [15, 77]], 'rollout' => ['percentage' => 0]] + $flags['portal']]);
        self::assertSame([true, true, false], [$on('portal', 15), $on('portal', 77), $on('portal', 16)]);
        $publish(['portal' => ['rollout' => ['percentage' => 100]] + $flags['portal']]);
        self::assertSame([false, true], [$on('beta', 16), $on('portal', 16)]);
    }

    public function test_who_asks_gets_text_or_json(): void
    {
        self::assertSame(0, $this->artisanCode('feature list'));
        self::assertStringContainsString('10 % + 1 company', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:list --company=15 --json'));
        self::assertSame(
            ['beta' => 'off', 'portal' => 'on', 'search' => 'on'],
            \array_column(\json_decode($this->printed, true)['flags'], 'state', 'flag'),
        );
        self::assertSame(0, $this->artisanCode('feature:show portal --json'));
        self::assertSame([15], \json_decode($this->printed, true)['definition']['companies']['allow']);
        self::assertSame(2, $this->artisanCode('feature:show protal'));
        self::assertSame(0, $this->artisanCode('feature:explain portal --company=15 --short'));
        self::assertSame('portal is ON for company 15: the company is allowed', \trim($this->printed));
        self::assertSame(0, $this->artisanCode('feature:history --company=15 --hours=1'));
        self::assertStringContainsString('search went ON for company 15 at 20', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:explain portal --company=16 --context=plan=pro'));
        self::assertStringContainsString('of 100,000', $this->printed);
        self::assertSame(2, $this->artisanCode('feature:explain protal --short'));
        self::assertStringContainsString('did you mean "portal"?', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:health --json'));
        $health = \json_decode($this->printed, true);
        self::assertSame(['ok', 'testing', 'ok', 'ok'], [$health['status'], $health['environment'], $health['database'], $health['cache']]);
        self::assertSame(['current', 0], [$health['flagstone']['source_state'], $health['flagstone']['workers_behind']]);
    }

    public function test_without_the_command_changes_are_refused_and_questions_answered(): void
    {
        $this->app->make('config')->set('flagstone.binary', '/nonexistent/flagstone');
        $this->app->forgetInstance(\Flagstone\Laravel\Changes\Changer::class);
        $this->app->instance(
            \Flagstone\Laravel\Changes\Binary::class,
            new \Flagstone\Laravel\Changes\Binary('/nonexistent/flagstone'),
        );
        self::assertSame(1, $this->artisanCode('feature:enable beta --force'));
        self::assertStringContainsString('make install', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:list'));
        self::assertStringContainsString('on for some, or all', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:stats portal'));
        self::assertStringContainsString('This process: ', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:explain portal --company=15 --short'));
    }

    public function test_no_command_declares_artisans_own_option_env(): void
    {
        $found = 0;
        foreach ($this->app->make(\Illuminate\Contracts\Console\Kernel::class)->all() as $name => $command) {
            if (\str_starts_with($name, 'feature')) {
                ++$found;
                self::assertArrayNotHasKey('env', $command->getNativeDefinition()->getOptions(), $name);
            }
        }
        self::assertGreaterThan(19, $found);
    }
}
