<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Change;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Changes\Overlay;
use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Replacement;
use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Store;
use Flagstone\Polyfill\Process;
use Illuminate\Foundation\Application;
use RuntimeException;

/**
 * Changes where flags.json itself answers: they go into a file that git ignores.
 */
final class OverlayTest extends TestCase
{
    use Artisan;

    private const FLAGS = <<<'JSON'
        {
          "flags": {
            "portal": {
              "rollout": { "percentage": 10, "salt": "p" },
              "companies": { "allow": [15, 42], "deny": ["acme-eu"] },
              "schedule": [{ "at": "2030-01-01T00:00:00Z", "percentage": 50 }]
            },
            "dark_mode": true,
            "beta": false,
            "off": { "enabled": false, "rollout": { "percentage": 30 }, "companies": { "allow": [1], "deny": [2] } },
            "plain": { "enabled": true, "owner": "team" }
          },
          "environments": { "testing": { "flags": { "portal": { "companies": { "allow": [15, 42, 7] } } } } }
        }
        JSON;

    private string $folder;
    private string $flags = self::FLAGS;

    protected function configure(Application $app): void
    {
        $this->folder = Store::unused('overlay');
        \mkdir($this->folder);
        \file_put_contents("$this->folder/flags.json", $this->flags);
        $app->make('config')->set('flagstone.file', "$this->folder/flags.json");
        $app->make('config')->set('flagstone.overlay', "$this->folder/flags.local.json");
        $app->make('config')->set('flagstone.binary', '/nonexistent/flagstone');
        $app->make('config')->set('flagstone.driver', 'file');
        // Tests of applications have no overlay.
        $app->make('config')->set('flagstone.environment', 'testing');
        $app->detectEnvironment(static fn (): string => 'local');
    }

    protected function tearDown(): void
    {
        Process::useFile(null);
        parent::tearDown();
    }

    public function test_a_flag_is_flipped_without_the_command_and_flags_json_stays_as_it_is(): void
    {
        $beta = fn (int $company): bool => $this->app->make('flagstone')->for($company)->enabled('beta');
        self::assertFalse($beta(15));
        self::assertSame(0, $this->artisanCode('feature enable beta --company=15'));
        self::assertSame([true, false], [$beta(15), $beta(16)]);
        self::assertStringContainsString('beta: off → 0 % + 1 company', $this->printed);
        self::assertStringContainsString('for this copy of the application only', $this->printed);
        self::assertSame(self::FLAGS, \file_get_contents("$this->folder/flags.json"));
        self::assertSame(
            '{"flags":{"beta":{"enabled":true,"rollout":{"percentage":0},"companies":{"allow":[15]}}}}',
            $this->overlay(),
        );
        self::assertSame(0, $this->artisanCode('feature enable beta --percentage=100'));
        self::assertTrue($beta(16));
        self::assertSame(0, $this->artisanCode('feature list --json'));
        $states = \array_column(\json_decode($this->printed, true)['flags'], 'state', 'flag');
        self::assertSame('on for everybody', $states['beta']);
        self::assertSame(0, $this->artisanCode('feature:show beta'));
        self::assertStringContainsString('"allow": [15]', $this->printed);
        self::assertSame(0, $this->artisanCode('feature disable beta --json'));
        self::assertTrue(\json_decode($this->printed, true)['changed']);
        self::assertSame([false, false], [$beta(15), $beta(16)]);
        self::assertSame(0, $this->artisanCode('feature:health'));
        self::assertSame(0, $this->artisanCode('feature:doctor'));
        self::assertStringContainsString('flags.local.json changes flags here', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:stats portal --json'));
        self::assertSame(3, \json_decode($this->printed, true)['shares']['allowed']);
        self::assertSame(0, $this->artisanCode('feature disable beta --json'));
        self::assertFalse(\json_decode($this->printed, true)['changed']);
    }

    public function test_a_dry_run_writes_nothing(): void
    {
        self::assertSame(0, $this->artisanCode('feature:rollout portal 20 --dry-run'));
        self::assertFileDoesNotExist("$this->folder/flags.local.json");
    }

    public function test_what_only_a_store_can_do_is_refused(): void
    {
        $words = ['feature:kill beta --reason=x', 'feature:rollback', 'feature:publish', 'feature:history', 'feature:incident'];
        foreach ($words as $command) {
            self::assertSame(1, $this->artisanCode($command), $command);
            self::assertStringContainsString('the driver is "file"', $this->printed);
        }
    }

    public function test_an_emergency_command_that_can_stop_nothing_says_so_last(): void
    {
        // The refusal alone read as if something had been done.
        foreach (['feature:kill beta --reason=x', 'feature:stop-all --reason=x --yes', 'feature kill beta --reason=x'] as $command) {
            self::assertSame(1, $this->artisanCode($command), $command);
            self::assertStringEndsWith("\n\nNOTHING WAS STOPPED\n", $this->printed);
        }
        $this->app->make('config')->set('flagstone.driver', 'store');
        foreach ([Drivers::class, Flagstone::class, Changer::class] as $made) {
            $this->app->forgetInstance($made);
        }
        $this->app->instance(Binary::class, new Binary('/nonexistent/flagstone'));
        self::assertSame(1, $this->artisanCode('feature:kill beta --reason=x'));
        self::assertStringContainsString('is not there', $this->printed);
        self::assertStringEndsWith("\n\nNOTHING WAS STOPPED\n", $this->printed);
    }

    public function test_a_flag_that_is_on_with_denied_companies_is_listed_with_them(): void
    {
        // It was listed as on, no more.
        self::assertSame(0, $this->artisanCode('feature:enable beta'), $this->printed);
        self::assertSame(0, $this->artisanCode('feature:deny beta 99'), $this->printed);
        self::assertStringContainsString('beta: on, as before but that 1 company more is denied', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:list'), $this->printed);
        self::assertMatchesRegularExpression('/beta +\| on, 1 denied/', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:deny beta 007'), $this->printed);
        // It said nothing, and 7 was not denied.
        self::assertStringContainsString('007 is a text, and not the company 7', $this->printed);
        self::assertSame(0, $this->artisanCode('feature:forget beta 007'), $this->printed);
    }

    public function test_mistakes_are_refused_in_words(): void
    {
        self::assertSame(1, $this->artisanCode('feature:enable btea'));
        self::assertStringContainsString('did you mean "beta"?', $this->printed);
        // A flag named by digits alone is an int among PHP's keys.
        \file_put_contents("$this->folder/flags.json", '{"flags": {"2024": false}}');
        self::assertSame(2, $this->artisanCode('feature:show 2023'));
        self::assertStringContainsString('did you mean "2024"?', $this->printed);
        \file_put_contents("$this->folder/flags.local.json", '{"flags": ');
        self::assertSame(1, $this->artisanCode('feature:enable beta'));
        self::assertStringContainsString('flags.local.json: Syntax error', $this->printed);
        \unlink("$this->folder/flags.local.json");
        \unlink("$this->folder/flags.json");
        self::assertSame(1, $this->artisanCode('feature:enable beta'));
        self::assertStringContainsString('php artisan feature:install', $this->printed);
    }

    /** The rules are the engine's: what the overlay says, and how the change is summed up, must be what the engine would have decided. */
    public function test_an_overlay_says_what_the_engine_decides(): void
    {
        $changes = [
            ['enable'], ['enable', '100'], ['enable', '12.5'], ['enable', null, [15, 99]],
            ['enable', '5', ['acme-eu']], ['disable'], ['disable', null, [15]], ['rollout', '0'], ['rollout', '33.333'],
            ['allow', null, ['acme-eu', '042', 3]], ['deny', null, [42, 1]], ['forget', null, [15, 'acme-eu', 1, 2]],
        ];
        // One copy of each flag for each change.
        $document = \json_decode(self::FLAGS);
        $patches = $document->environments->testing->flags;
        $copies = [];
        foreach (\get_object_vars($document->flags) as $flag => $definition) {
            foreach ($changes as $number => $typed) {
                [$command, $percentage, $companies] = $typed + [1 => null, []];
                $copies["$flag-$number"] = new Change($command, "$flag-$number", $percentage, $companies);
                $document->flags->{"$flag-$number"} = $definition;
                if (isset($patches->$flag)) {
                    $patches->{"$flag-$number"} = $patches->$flag;
                }
            }
        }
        self::assertCount(60, $copies);
        Json::write("$this->folder/flags.json", $document);
        Json::write("$this->folder/engine.json", $document);

        $binary = new Binary((string) \getenv('FLAGSTONE_BIN'));
        $overlay = new Overlay("$this->folder/flags.json", "$this->folder/flags.local.json", 'testing');
        $file = ["--file=$this->folder/engine.json", '--environment=testing', '--json'];
        foreach ($copies as $change) {
            $arguments = $change->arguments();
            $engine = $binary->run([$change->command, ...$file, ...\array_slice($arguments, 1)]);
            self::assertSame(0, $engine->code, $engine->error);
            $applied = $overlay->apply($change, true);
            self::assertSame([0, $engine->data()['summary']], [$applied->code, $applied->data()['summary']]);
        }
        Json::write("$this->folder/merged.json", (object) ['flags' => (object) $overlay->flags()]);
        $compare = ['diff', "$this->folder/engine.json", "$this->folder/merged.json", '--environment=testing', '--json'];
        $compared = $binary->run($compare);
        self::assertSame([], $compared->data()['differences'] ?? null, $compared->text . $compared->error);
    }

    public function test_a_change_that_moves_only_a_company_says_so_and_what_is_listed_stays_in_its_place(): void
    {
        self::assertSame(0, $this->artisanCode('feature:allow portal 15'), $this->printed);
        self::assertStringContainsString('it says so already; nothing to change', $this->printed);

        self::assertSame(0, $this->artisanCode('feature:deny portal 99'), $this->printed);
        self::assertStringContainsString('portal: 10 % + 3 companies, as before but that 1 company more is denied', $this->printed);
    }

    public function test_a_file_that_cannot_be_used_is_neither_changed_nor_listed_and_every_command_says_where_it_is_wrong(): void
    {
        $typo = \str_replace('"beta": false', '"beta": { "enabld": false }', self::FLAGS);
        foreach (['{"flags": {"beta": tru}}' => ':1:20: /flags/beta: found "tru"', $typo => '/flags/beta/enabld: found the unknown key "enabld"'] as $text => $where) {
            $this->flags = $text;
            $this->refreshApplication();
            foreach (['list', 'show beta', 'stats beta', 'explain beta', 'enable beta', 'disable beta'] as $command) {
                self::assertNotSame(0, $this->artisanCode("feature:$command"), "$command: $this->printed");
                self::assertStringContainsString($where, $this->printed, $command);
            }
        }
        self::assertFileDoesNotExist("$this->folder/flags.local.json");
    }

    public function test_an_overlay_invents_no_flag(): void
    {
        // A colleague renamed the flag: the old name went on answering here, and nowhere else.
        \file_put_contents("$this->folder/flags.local.json", '{"flags": {"renamed": true, "beta": true}}');
        $this->refreshed();
        self::assertNotContains('renamed', $this->app->make('flagstone')->driver()->names());
        self::assertSame('unknown_flag', $this->app->make('flagstone')->explain('renamed')['reason']);
        self::assertSame(0, $this->artisanCode('feature:list --json'));
        $listed = \json_decode($this->printed, true);
        self::assertSame(['renamed'], $listed['ignored']);
        self::assertSame(['beta'], \array_column(\array_filter($listed['flags'], static fn (array $row): bool => $row['overlay']), 'flag'));
        self::assertSame(0, $this->artisanCode('feature:list'));
        self::assertMatchesRegularExpression('/beta +\| on +\(flags\.local\.json\)|beta +\| on \(flags\.local\.json\)/', $this->printed);
        self::assertStringContainsString('flags.local.json has renamed, which flags.json lacks: it is ignored', $this->printed);
        $this->artisanCode('feature:doctor');
        self::assertStringContainsString('it has renamed, which flags.json lacks', $this->printed);
        self::assertSame(1, $this->artisanCode('feature:enable renamed'));
        self::assertSame(0, $this->artisanCode('feature:reset renamed'), $this->printed);
        self::assertSame('{"flags":{"beta":true}}', $this->overlay());
    }

    public function test_an_overlays_companies_are_added_to_the_files(): void
    {
        $in = fn (int|string ...$companies): array => \array_map(fn (int|string $company): string => $this->app->make('flagstone')->for($company)->explain('portal')['reason'], $companies);
        self::assertSame(0, $this->artisanCode('feature:allow portal 99'));
        self::assertSame(0, $this->artisanCode('feature:deny portal 42'));
        self::assertSame(0, $this->artisanCode('feature:forget portal acme-eu'));
        self::assertSame('{"flags":{"portal":{"enabled":true,"companies":{"allow":[99],"deny":[42],"forget":["acme-eu"]}}}}', $this->overlay());
        // Later the file gains a company.
        \file_put_contents("$this->folder/flags.json", \str_replace('[15, 42, 7]', '[15, 42, 7, 1000]', self::FLAGS));
        $this->refreshed();
        self::assertSame(['allowed', 'allowed', 'allowed', 'allowed', 'denied'], $in(15, 7, 1000, 99, 42));
        self::assertNotSame('denied', $in('acme-eu')[0]);
        self::assertSame(0, $this->artisanCode('feature:allow portal 42 acme-eu'));
        self::assertSame(['allowed', 'allowed'], $in(42, 'acme-eu'));
        self::assertSame(0, $this->artisanCode('feature:reset portal'), $this->printed);
        self::assertSame(['denied', 'allowed'], $in('acme-eu', 42));
        self::assertNotSame('allowed', $in(99)[0]);
    }

    public function test_reset_takes_back_what_this_copy_changed(): void
    {
        self::assertSame(0, $this->artisanCode('feature:enable beta'));
        self::assertSame(0, $this->artisanCode('feature:disable dark_mode'));
        $on = fn (): array => [$this->app->make('flagstone')->for(1)->enabled('beta'), $this->app->make('flagstone')->for(1)->enabled('dark_mode')];
        self::assertSame([true, false], $on());
        foreach (['feature:reset', 'feature:reset beta --all', 'feature:reset ""'] as $line) {
            self::assertSame(1, $this->artisanCode($line), $line);
        }
        self::assertSame([true, false], $on());
        self::assertSame(0, $this->artisanCode('feature reset beta'), $this->printed);
        self::assertSame([false, false], $on());
        self::assertSame(0, $this->artisanCode('feature:reset nothing'), $this->printed);
        self::assertSame(0, $this->artisanCode('feature:reset --all'), $this->printed);
        self::assertSame([false, true], $on());
        self::assertSame(0, $this->artisanCode('feature:reset --all'));
        $this->app->detectEnvironment(static fn (): string => 'testing');
        (new \Flagstone\Laravel\Changes\ChangeServices())->register($this->app);
        self::assertSame(1, $this->artisanCode('feature:enable beta'));
        self::assertStringContainsString("tests read flags.json alone, and get other answers by Flagstone::fake(['beta' => …])", \preg_replace('/\s+/', ' ', $this->printed));
    }

    public function test_a_file_that_root_changes_stays_its_owners(): void
    {
        // It became root's with its mode kept, so that the application could not read it any more.
        self::assertSame(0, \posix_geteuid(), 'run as root: nobody else can play two users');
        $overlay = "$this->folder/flags.local.json";
        \file_put_contents($overlay, '{"flags": {}}');
        \chmod($overlay, 0o640);
        \chown($overlay, 64_010);
        \chgrp($overlay, 64_011);
        self::assertSame(0, $this->artisanCode('feature:enable beta'), $this->printed);
        \clearstatcache();
        self::assertSame('{"flags":{"beta":{"enabled":true}}}', $this->overlay());
        self::assertSame([64_010, 64_011, 0o100640], [\fileowner($overlay), \filegroup($overlay), \fileperms($overlay)]);
    }

    public function test_a_new_file_of_roots_is_its_folders_whatever_the_umask(): void
    {
        // Root's umask 077 left a flags.local.json that the application could not read.
        self::assertSame(0, \posix_geteuid(), 'run as root: nobody else can play two users');
        \chown($this->folder, 64_010);
        \chgrp($this->folder, 64_011);
        $umask = \umask(0o077);
        try {
            foreach ([0o755 => 0o100644, 0o750 => 0o100640, 0o2770 => 0o100640] as $folder => $file) {
                \chmod($this->folder, $folder);
                self::assertSame(0, $this->artisanCode('feature:enable beta'), $this->printed);
                $overlay = "$this->folder/flags.local.json";
                \clearstatcache();
                self::assertSame([64_010, 64_011, $file], [\fileowner($overlay), \filegroup($overlay), \fileperms($overlay)]);
                \unlink($overlay);
            }
        } finally {
            \umask($umask);
        }
    }

    public function test_a_file_that_is_a_mount_point_is_told_as_one(): void
    {
        // "cannot write …; nothing was changed", of a file that everybody could write.
        $mounted = "$this->folder/a file.json";
        foreach ([$mounted, "$this->folder/outside.json"] as $file) {
            \file_put_contents($file, '{}');
        }
        $code = 'foreach (["Replacement", "Changes/Json"] as $class) { require $argv[1] . "/$class.php"; }'
            . ' try { Flagstone\Laravel\Changes\Json::write($argv[2], new stdClass()); } catch (RuntimeException $error) { echo $error->getMessage(); }';
        // In a folder that is no mount point, as a chroot may be, nothing can be made private.
        $line = 'mount --bind "$1" "$2" && "$3" -r "$4" "$5" "$2"; umount "$2"';
        $arguments = ["$this->folder/outside.json", $mounted, \PHP_BINARY, $code, \dirname(__DIR__) . '/src'];
        \exec('unshare --mount --propagation unchanged sh -c ' . \implode(' ', \array_map(escapeshellarg(...), [$line, 'sh', ...$arguments])) . ' 2>&1', $said);
        self::assertStringStartsWith("cannot write $mounted: it is a mount point", \implode("\n", $said));
        self::assertStringContainsString('Mount its folder instead', \implode("\n", $said));
    }

    public function test_a_file_that_cannot_be_given_to_its_owner_stays_as_it_is(): void
    {
        $path = "$this->folder/flags.json";
        try {
            // No user has this number.
            Replacement::write($path, '{}', 0o640, ['uid' => -1, 'gid' => -1]);
            self::fail('expected an exception');
        } catch (RuntimeException $error) {
            self::assertStringContainsString('nothing was changed. Run this as that user: sudo -u ', $error->getMessage());
        }
        self::assertSame(self::FLAGS, \file_get_contents($path));
        self::assertSame(['.', '..', 'flags.json'], \scandir($this->folder));
    }

    public function test_an_overlay_that_cannot_be_read_is_no_empty_one(): void
    {
        // The commands went on as if there were none.
        $overlay = "$this->folder/flags.local.json";
        \symlink('/nonexistent/overlay', $overlay);
        foreach (['feature:list', 'feature:enable beta', 'feature:reset --all'] as $command) {
            self::assertNotSame(0, $this->artisanCode($command), $command);
            self::assertMatchesRegularExpression("~cannot read (the overlay )?\Q$overlay\E~", $this->printed, $command);
        }
        self::assertTrue(\is_link($overlay));
        $this->refreshed();
        self::assertStringContainsString("cannot read the overlay $overlay: it is a link", (string) $this->app->make('flagstone')->driver()->status()['last_error']);
    }

    private function refreshed(): void
    {
        $this->app->make('flagstone')->driver()->refresh();
    }

    private function overlay(): string
    {
        return (string) \json_encode(\json_decode((string) \file_get_contents("$this->folder/flags.local.json")));
    }
}
