<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Company;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

/**
 * Whom a change reaches: the companies of a query, told before it is made; and who makes it.
 */
final class ReachTest extends TestCase
{
    use Artisan;

    private string $store = '';

    protected function configure(Application $app): void
    {
        $this->store = $this->ownStore($app, ['beta' => false, 'search' => true]);
        $app->make('config')->set('database.default', 'companies');
        $app->make('config')->set('database.connections.companies', ['driver' => 'sqlite', 'database' => ':memory:']);
        $app->make('config')->set('flagstone.companies', Company::class);
    }

    protected function setUp(): void
    {
        parent::setUp();
        Schema::create('companies', static function (Blueprint $table): void {
            $table->id();
            $table->string('plan')->nullable();
        });
        DB::table('companies')->insert(\array_map(static fn (int $id): array => ['id' => $id * 3], \range(1, 100)));
    }

    private function sourced(mixed $source): void
    {
        $this->app->make('config')->set('flagstone.companies', $source);
        (new \Flagstone\Laravel\Console\ArtisanCommands())->register($this->app);
    }

    public function test_a_change_tells_how_many_rows_of_the_company_model_it_turns_on(): void
    {
        self::assertSame(0, $this->artisanCode('feature:enable beta --company=3 --company=4'));
        self::assertStringContainsString('of 100 companies in standard input:', $this->printed);
        self::assertStringContainsString("beta: 0 → 1 have it\n    +1  3\n", $this->printed);
        self::assertSame(0, $this->artisanCode('feature:rollout beta 100 --dry-run --json'));
        self::assertSame(100, \json_decode($this->printed, true)['reach']['flags'][0]['after']);
    }

    public function test_standard_input_is_no_list(): void
    {
        // The command's carries the companies of the configuration: all of them were let in.
        $before = \file_get_contents("$this->store/head");
        $link = "$this->store.list";
        \symlink('/dev/stdin', $link);
        foreach (['-', '/dev/stdin', '/dev/fd/0', '//dev/stdin', '/proc/self/fd/0', $link] as $path) {
            foreach ([
                "feature:allow beta --from-file=$path", "feature:deny beta --from-file=$path --yes", "feature:forget beta --from-file=$path", "feature allow beta --from-file=$path",
                "feature:enable beta --count-for=$path --yes", "feature:publish $path",
            ] as $line) {
                self::assertSame(1, $this->artisanCode($line), $this->printed);
                self::assertStringContainsString("is \"$path\", expected a file: artisan does not hand on its standard input", $this->printed);
            }
        }
        self::assertSame($before, \file_get_contents("$this->store/head"));
        $list = "$this->store.ids";
        \file_put_contents($list, "3\n6\n");
        self::assertSame(0, $this->artisanCode("feature:deny search --from-file=$list --yes"), $this->printed);
        self::assertSame([9, 12], \array_values($this->app->make('flagstone')->filter('search', [3, 6, 9, 12])));
    }

    public function test_what_many_would_lose_is_asked_about_or_wants_yes(): void
    {
        $on = fn (): bool => $this->app->make('flagstone')->for(3)->enabled('search');
        self::assertSame(1, $this->artisanCode('feature:disable search'));
        self::assertStringContainsString('search turns off for 100 of the 100 companies that have it', $this->printed);
        self::assertTrue($on());
        self::assertSame(1, $this->artisanTyping('feature:disable', ['flag' => 'search'], 'no'));
        self::assertStringContainsString('Go on?', $this->printed);
        self::assertTrue($on());
        self::assertSame(0, $this->artisanTyping('feature:disable', ['flag' => 'search'], 'yes'));
        self::assertFalse($on());
        self::assertSame(0, $this->artisanCode('feature:enable search'));
        self::assertSame(1, $this->artisanCode('feature:rollout search 10'));
        self::assertSame(0, $this->artisanCode('feature:rollout search 10 --yes'));
        self::assertSame(0, $this->artisanCode('feature:enable search --percentage=100'));
        self::assertSame(1, $this->artisanCode('feature:rollback'));
        self::assertSame(0, $this->artisanTyping('feature:rollback', [], 'yes'));
        self::assertSame(0, $this->artisanCode('feature:enable search --percentage=100'));
        $file = Support\Store::unused('flags-reach.json');
        \file_put_contents($file, '{"flags": {"beta": {"enabled": false}, "search": {"rollout": {"percentage": 100}, "requires": ["beta"]}}}');
        self::assertSame(1, $this->artisanCode('feature:publish', ['file' => $file]));
        self::assertStringContainsString('turns off for 100 of the 100', $this->printed);
        self::assertSame(0, $this->artisanTyping('feature:publish', ['file' => $file], 'yes'));
    }

    public function test_companies_come_from_a_file(): void
    {
        $file = Support\Store::unused('broken.txt');
        \file_put_contents($file, \implode("\n", \range(3, 450, 3)));
        $on = fn (int $company): bool => $this->app->make('flagstone')->for($company)->enabled('search');
        self::assertSame(1, $this->artisanCode('feature:deny', ['flag' => 'search', '--from-file' => $file]), 'more than a fifth');
        self::assertSame(0, $this->artisanTyping('feature:deny', ['flag' => 'search', '--from-file' => $file], 'yes'));
        self::assertSame([false, true], [$on(450), $on(451)]);
        self::assertSame(0, $this->artisanCode('feature', ['action' => 'forget', 'flag' => 'search', '--from-file' => $file]));
        self::assertTrue($on(450));
        \file_put_contents($file, "3,acme\n");
        self::assertSame(2, $this->artisanCode('feature:allow', ['flag' => 'search', '--from-file' => $file]));
        self::assertStringContainsString('found columns', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:allow search'));
        self::assertStringContainsString('--from-file=LIST', $this->printed);
    }

    public function test_a_kill_waits_for_no_query_and_asks_nothing(): void
    {
        DB::enableQueryLog();
        self::assertSame(0, $this->artisanCode('feature:kill search --reason=slow'));
        self::assertSame([], DB::getQueryLog());
        self::assertSame(1, $this->artisanCode('feature:stop-all --reason=fire'));
        self::assertStringContainsString('--yes', $this->printed);
        self::assertSame(1, $this->artisanTyping('feature:stop-all', ['--reason' => 'fire'], 'production'));
        self::assertSame(0, $this->artisanTyping('feature:stop-all', ['--reason' => 'fire'], 'testing'));
        self::assertSame([], DB::getQueryLog());
        self::assertSame(0, $this->artisanCode('feature:resume-all'));
    }

    public function test_the_companies_come_from_whatever_can_be_called(): void
    {
        foreach ([static fn (): array => ['acme', 7], [self::class, 'two'], Two::class] as $source) {
            $this->sourced($source);
            self::assertSame(0, $this->artisanCode('feature:rollout search 100 --dry-run'), $this->printed);
            self::assertSame(0, $this->artisanCode('feature:disable search --dry-run --json'));
            self::assertSame(2, \json_decode($this->printed, true)['reach']['companies']);
        }
        foreach (['No\Such\Class', static fn (): int => 7, static fn (): array => ["a\nb"], static fn (): array => [null]] as $source) {
            $this->sourced($source);
            $this->refusedWhereNobodySaysYes();
            self::assertStringContainsString('"companies" in config/flagstone.php', $this->printed);
            self::assertSame(0, $this->artisanCode('feature:enable search --yes'));
        }
    }

    /** @return list<int> */
    public static function two(): array
    {
        return [1, 2];
    }

    /** It warned, and did it: a database that was down disarmed the question. */
    private function refusedWhereNobodySaysYes(): void
    {
        self::assertSame(1, $this->artisanCode('feature:disable search'));
        $told = 'cannot determine which companies the change reaches';
        self::assertStringContainsString("$told; nothing was changed. With --yes it is done", $this->printed);
        self::assertSame(0, $this->artisanCode('feature:disable search --dry-run'));
        self::assertStringContainsString($told, $this->printed);
        self::assertSame(1, $this->artisanTyping('feature:disable', ['flag' => 'search'], 'no'));
        self::assertStringContainsString('Go on?', $this->printed);
        self::assertTrue($this->app->make('flagstone')->for(3)->enabled('search'));
        self::assertSame(0, $this->artisanTyping('feature:disable', ['flag' => 'search'], 'yes'));
        self::assertSame(0, $this->artisanCode('feature:enable search --yes'));
        self::assertSame(0, $this->artisanCode('feature:disable search --yes'));
        self::assertStringContainsString($told, $this->printed);
    }

    public function test_a_database_that_does_not_answer_does_not_disarm_the_question(): void
    {
        Schema::drop('companies');
        $this->refusedWhereNobodySaysYes();
        self::assertSame(0, $this->artisanCode('feature:kill search --reason=slow'), 'a kill asks nothing');
    }

    public function test_a_list_of_the_store_that_cannot_be_read_is_asked_about_as_well(): void
    {
        $this->sourced(null);
        \exec(\getenv('FLAGSTONE_BIN') . " config companies gone.txt --store $this->store", $lines, $code);
        self::assertSame(0, $code);
        $this->refusedWhereNobodySaysYes();
    }

    public function test_the_actor_is_the_person_and_not_the_account_that_serves_the_page(): void
    {
        $last = fn (): array => \json_decode(
            (string) \shell_exec(\getenv('FLAGSTONE_BIN') . " history --limit 1 --json --store $this->store"),
            true,
        )['changes'][0]['actor'];
        self::assertSame(0, $this->artisanCode('feature:kill search --reason=slow --actor=Alice'));
        self::assertSame('Alice', $last()['user']);
        self::assertNotSame('', $last()['account']);
        $this->actingAs(new Support\User(['id' => 7, 'email' => 'bob@example.com']));
        self::assertSame(0, $this->artisanCode('feature:revive search'));
        self::assertSame('bob@example.com', $last()['user']);
        $this->app->make(Changer::class)->command(['kill', '--reason=slow', '--', 'search']);
        self::assertSame('bob@example.com', $last()['user']);
        \putenv('FLAGSTONE_ACTOR=Carol');
        self::assertSame(0, $this->artisanCode('feature:revive search'));
        \putenv('FLAGSTONE_ACTOR');
        self::assertSame('Carol', $last()['user']);
    }

    public function test_a_change_that_did_not_reach_every_machine_is_exit_code_3(): void
    {
        \exec(\getenv('FLAGSTONE_BIN') . " config machines.web-2 '[\"false\"]' --store $this->store", $lines, $code);
        self::assertSame(0, $code);
        self::assertSame(3, $this->artisanCode('feature:kill search --reason=slow'));
        self::assertStringContainsString('web-2: not done there', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:revive search --local-only'));
    }
}

/** Ids of two companies. */
final class Two
{
    /** @return iterable<int> */
    public function __invoke(): iterable
    {
        yield 1;
        yield 2;
    }
}
