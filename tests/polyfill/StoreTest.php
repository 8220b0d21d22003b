<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\Tests;

use Flagstone\Polyfill\Head;
use Flagstone\Polyfill\Process;
use Flagstone\Polyfill\Store;
use Flagstone\Polyfill\Trust;
use ReflectionClass;
use ReflectionMethod;

/** A store: which one answers, and what holds where it is damaged, moved or forbidden. */
final class StoreTest extends TestCase
{
    public function test_without_a_store_every_flag_is_off_and_status_says_what_to_do(): void
    {
        $found = self::php('$status = flagstone_status(); echo json_encode([feature_explain("portal")["reason"], feature_all(), $status["source"], $status["last_error"]]);');
        self::assertStringStartsWith('["no_snapshot",[],"none","no store: set flagstone.store', $found);
    }

    public function test_the_store_is_named_by_php_ini_by_the_application_or_by_a_constant_in_this_order(): void
    {
        $one = self::store(['one' => true]);
        $two = self::store(['two' => true]);
        $print = 'echo implode(",", array_keys(feature_all()));';
        self::assertSame('one', self::php($print, ['flagstone.store' => $one]));
        self::assertSame('one', self::php("define('FLAGSTONE_STORE', '$one'); $print"));
        self::assertSame('two', self::php("define('FLAGSTONE_STORE', '$one'); flagstone_use('$two'); $print"));
        self::assertSame('nontwo', self::php("echo flagstone_use('$one') ? 'yes' : 'non'; $print", ['flagstone.store' => $two]));
        self::assertSame('yestwo', self::php("echo flagstone_use('$two/.') ? 'yes' : 'no'; $print", ['flagstone.store' => $two]));
        self::assertSame('off, flagstone.store is "flags" in php.ini, expected an absolute path: every flag is off',
            self::php('echo feature_enabled("a") ? "on" : "off", ", ", flagstone_status()["last_error"];', ['flagstone.store' => 'flags']));
    }

    // The store that was named before went on answering, another application's; nothing said why the name was refused.
    public function test_a_name_that_is_refused_leaves_no_store_and_status_says_why(): void
    {
        $store = self::store(['portal' => true]);
        $other = self::store(['portal' => false]);
        $use = static fn (string $name, array $settings = []): string => self::php(
            "define('FLAGSTONE_STORE', '$store'); foreach (['$store', $name, '$store'] as \$named) { echo +flagstone_use(\$named), +feature_enabled('portal'), ' ', flagstone_status()['last_error'] ?? 'none', \"\\n\"; }",
            $settings,
        );
        self::assertSame("11 none\n00 flagstone_use(): \"\" is no path\n11 none", $use("''"));
        self::assertSame("11 none\n00 flagstone_use(): \"a\u{fffd}b\" is no path\n11 none", $use("\"a\\0b\""));
        // The one of php.ini goes on.
        $configured = ['flagstone.store' => $store];
        self::assertSame("11 none\n01 flagstone_use(): \"\" is no path\n11 none", $use("''", $configured));
        self::assertSame("11 none\n01 flagstone_use(): php.ini's flagstone.store is $store, which $other cannot replace\n11 none", $use("'$other'", $configured));
    }

    // Content moved in the middle of a request whose code named the store of php.ini.
    public function test_naming_the_store_of_php_ini_moves_no_content(): void
    {
        $store = self::store(['portal' => true]);
        $publish = \var_export(\escapeshellarg((string) \getenv('FLAGSTONE_BIN')) . ' disable portal --yes --store ' . \escapeshellarg($store), true);
        self::assertSame('111', self::php('echo +feature_enabled("portal"); (new ReflectionClass(Flagstone\Polyfill\Process::class))->setStaticPropertyValue("isLongLived", false);'
            . "exec($publish); echo +flagstone_use('$store/.'), +feature_enabled('portal');", ['flagstone.store' => $store]));
    }

    public function test_a_refresh_moves_to_the_newest_generation_and_a_look_does_within_the_refresh_interval(): void
    {
        $store = self::store(['portal' => false]);
        self::assertSame(true, flagstone_use($store));
        self::assertSame(false, feature_enabled('portal'));
        self::publish($store, ['portal' => true]);
        self::assertSame(false, feature_enabled('portal'), 'pinned');
        self::assertSame(true, flagstone_refresh());
        self::assertSame(false, flagstone_refresh());
        self::assertSame(true, feature_enabled('portal'));
        self::command('--store', $store, 'kill', 'portal', '--reason', 'test');
        usleep(1_100_000);
        self::assertSame('killed', feature_explain('portal')['reason']);
        self::assertSame(['portal'], flagstone_status()['killed']);
        self::command('--store', $store, 'revive', 'portal', '--reason', 'test');
        flagstone_refresh();
        self::assertSame(true, feature_enabled('portal'));
    }

    public function test_a_damaged_snapshot_is_refused_what_was_good_goes_on_and_a_new_process_takes_the_one_before(): void
    {
        $store = self::store(['portal' => true]);
        self::assertSame(true, flagstone_use($store));
        self::publish($store, ['portal' => false]);
        $file = self::snapshot($store);
        chmod($file, 0o644);
        $bytes = file_get_contents($file);
        $bytes[600] = chr(ord($bytes[600]) ^ 1);
        file_put_contents($file, $bytes);
        self::assertSame(false, flagstone_refresh());
        self::assertSame([true, 'last_good', 1], [feature_enabled('portal'), flagstone_status()['source'], flagstone_status()['counters']['refused']]);
        self::assertSame(true, str_contains(flagstone_status()['last_error'], 'checksum'));
        self::assertSame('previous', self::php("flagstone_use('$store'); echo flagstone_status()['source'];"));
    }

    public function test_a_head_that_moved_on_while_its_snapshot_was_opened_is_followed_kills_included(): void
    {
        $store = self::store(['portal' => false, 'other' => true]);
        $reader = new Store($store);
        self::publish($store, ['portal' => false]);
        [$slow, $removed] = [Head::read(Trust::directory($store)), self::snapshot($store)];
        self::publish($store, ['portal' => true, 'other' => true]);
        self::command('--store', $store, 'kill', 'other', '--reason', 'test');
        unlink($removed);
        (new ReflectionMethod(Store::class, 'load'))->invoke($reader, $slow, hrtime(true));
        self::assertSame([3, 'current', 0, ['other']], [$reader->generation, $reader->source, $reader->refused, $reader->killed]);
    }

    public function test_a_store_that_takes_the_place_of_another_while_a_process_starts_answers(): void
    {
        // The snapshot of the first was missing in the second, so the generation before answered, in which the flag was on.
        $store = self::store(['portal' => true]);
        exec('cp -a ' . escapeshellarg($store) . ' ' . escapeshellarg("$store-other"));
        self::publish($store, ['portal' => false]);
        self::publish("$store-other", ['portal' => ['enabled' => false, 'description' => 'another']]);
        $class = new ReflectionClass(Store::class);
        $start = function (callable $meanwhile) use ($class, $store): Store {
            $reader = $class->newInstanceWithoutConstructor();
            $head = Head::read(Trust::directory($store));
            foreach (['directory' => $store, 'environment' => 'production', 'head' => $head] as $name => $value) {
                $class->getProperty($name)->setValue($reader, $value);
            }
            $meanwhile();
            $class->getMethod('load')->invoke($reader, $head, hrtime(true));

            return $reader;
        };
        $reader = $start(function () use ($store): void {
            rename($store, "$store-aside");
            rename("$store-other", $store);
        });
        self::assertSame([2, 'current', null], [$reader->generation, $reader->source, $reader->lastError()]);
        $reader = $start(fn () => rename($store, "$store-other"));
        self::assertSame([0, 'none', null], [$reader->generation, $reader->source, $reader->snapshot], 'moved away');
        rename("$store-other", $store);
        // Damaged in its place: the generation before answers.
        $reader = $start(fn () => unlink(self::snapshot($store)));
        self::assertSame([1, 'previous'], [$reader->generation, $reader->source]);
    }

    public function test_an_empty_store_in_a_stores_place_turns_no_killed_flag_on(): void
    {
        $store = self::store(['portal' => true]);
        self::command('--store', $store, 'kill', 'portal', '--reason', 'test');
        $reader = new Store($store);
        rename($store, "$store-moved");
        self::command('init', $store, '--environment', 'production');
        $reader->checkForUpdate();
        self::assertSame([1, ['portal']], [$reader->generation, $reader->killed]);
        self::assertSame(true, str_contains((string) $reader->lastError(), 'it names no generation'));
        self::publish($store, ['portal' => true]);
        $reader->checkForUpdate();
        self::assertSame([1, [], null], [$reader->generation, $reader->killed, $reader->lastError()]);
    }

    public function test_a_damaged_word_of_the_generation_costs_no_content(): void
    {
        // A process that started then answered from the generation before, as if nothing was wrong.
        $store = self::store(['portal' => true]);
        self::publish($store, ['portal' => false]);
        foreach ([0, 1, 1 << 40] as $word) {
            $file = fopen("$store/head", 'c');
            fseek($file, 264);
            fwrite($file, pack('P', $word));
            fclose($file);
            $starting = new Store($store);
            self::assertSame([2, 'previous', false], [$starting->generation, $starting->source, $starting->lastError() === null], (string) $word);
        }
    }

    public function test_a_kill_holds_where_an_older_head_is_written_over(): void
    {
        // It ended in processes that had read it, and nothing told of it.
        $store = self::store(['portal' => true]);
        $older = file_get_contents("$store/head");
        self::command('--store', $store, 'kill', 'portal', '--reason', 'test');
        $running = new Store($store);
        $file = fopen("$store/head", 'c');
        fwrite($file, $older);
        fclose($file);
        for ($look = 0; $look < 2; ++$look) {
            $running->checkForUpdate();
            self::assertSame(['portal'], $running->killed);
            self::assertSame(true, str_contains((string) $running->lastError(), 'portal stays off here'));
        }
        self::command('--store', $store, 'kill', 'portal', '--reason', 'test');
        $running->checkForUpdate();
        self::assertSame([['portal'], null], [$running->killed, $running->lastError()]);
        self::command('--store', $store, 'revive', 'portal');
        $running->checkForUpdate();
        self::assertSame([], $running->killed);
    }

    public function test_a_kill_and_the_stop_hold_where_an_older_head_is_written_over_in_two_writes(): void
    {
        // The kill ended with the second write, as nothing told by then that the head had gone back; the stop ended with the first.
        foreach (['kill' => [['portal'], false], 'stop-all' => [[], true]] as $command => $expected) {
            foreach ([272, 4_096, 65_536] as $first) {
                $store = self::store(['portal' => true]);
                $older = file_get_contents("$store/head");
                self::command('--store', $store, $command, ...($command === 'kill' ? ['portal'] : ['--yes']), ...['--reason', 'test']);
                $running = new Store($store);
                $file = fopen("$store/head", 'c');
                foreach ([substr($older, 0, $first), substr($older, $first)] as $bytes) {
                    fwrite($file, $bytes);
                    fflush($file);
                    $running->checkForUpdate();
                    self::assertSame($expected, [$running->killed, $running->stopped], "$command, $first");
                }
                fclose($file);
                self::assertSame(true, str_contains((string) $running->lastError(), 'stays off here'));
                self::command('--store', $store, $command === 'kill' ? 'revive' : 'resume-all', ...($command === 'kill' ? ['portal'] : []));
                $running->checkForUpdate();
                self::assertSame([[], false, null], [$running->killed, $running->stopped, $running->lastError()], "$command, $first");
            }
        }
    }

    public function test_a_damaged_pointer_costs_no_content_while_its_snapshot_is_there(): void
    {
        // A process that started then answered from the generation before, where what the newest one switches off is on.
        $store = self::store(['portal' => true]);
        self::publish($store, ['portal' => false]);
        $running = new Store($store);
        $file = fopen("$store/head", 'c+');
        foreach ([345, 409] as $at) {
            self::flip($file, $at);
            $running->checkForUpdate();
            foreach ([$running, new Store($store)] as $reader) {
                self::assertSame([2, 'last_good'], [$reader->generation, $reader->source], (string) $at);
                self::assertSame(true, str_contains((string) $reader->lastError(), 'the snapshot of that number answers; the next publish'));
            }
        }
        self::publish($store, ['portal' => true]);
        $running->checkForUpdate();
        self::assertSame([3, 'current', null], [$running->generation, $running->source, $running->lastError()]);

        $store = self::store(['portal' => true]);
        self::publish($store, ['portal' => false]);
        self::flip(fopen("$store/head", 'c+'), 345);
        array_map(unlink(...), glob("$store/snapshots/*2-*"));
        $starting = new Store($store);
        self::assertSame([1, 'previous'], [$starting->generation, $starting->source]);
        self::assertSame(true, str_contains((string) $starting->lastError(), 'no snapshot of generation 2'));
        self::assertSame(true, str_ends_with((string) $starting->lastError(), '`flagstone rollback --to 1` mends it'));
    }

    public function test_kills_and_the_stop_hold_where_the_head_is_overwritten_and_a_process_that_starts_then_has_everything_off(): void
    {
        // It once took zeros for "nothing is killed", and a stop with damaged words for none.
        $store = self::store(['portal' => true, 'other' => true]);
        $over = function (int $at, string $bytes) use ($store): void {
            $file = fopen("$store/head", 'c');
            fseek($file, $at);
            fwrite($file, $bytes);
            fclose($file);
        };
        $switches = function (Store $reader): array {
            $reader->checkForUpdate();

            return [$reader->killed, $reader->stopped, $reader->lastError() === null];
        };
        self::command('--store', $store, 'kill', 'portal', '--reason', 'test');
        $running = new Store($store);
        $slot = substr(file_get_contents("$store/head"), 4_096, 256);
        foreach ([str_repeat("\0", 256), str_repeat("\0", 65_536 - 4_096), substr_replace($slot, '?', 100, 1), str_repeat("\x24", 256)] as $bytes) {
            $over(4_096, $bytes);
            self::assertSame([['portal'], false, false], $switches($running));
            self::assertSame([[], true, false], $switches(new Store($store)));
        }
        foreach (['one', 'two'] as $flag) {
            self::command('--store', $store, 'kill', $flag, '--reason', 'test', '--force');
            self::assertSame(true, in_array('portal', $switches($running)[0], true), $flag);
            self::command('--store', $store, 'revive', $flag);
        }
        self::command('--store', $store, 'kill', 'portal', '--reason', 'test');
        self::command('--store', $store, 'resume-all', '--force');
        self::assertSame([['portal'], false, true], $switches($running));
        self::assertSame([['portal'], false, true], $switches(new Store($store)));
        self::command('--store', $store, 'revive', 'portal');
        self::assertSame([[], false, true], $switches($running));
        foreach ([2, -1, 0x0100] as $word) {
            $over(272, pack('P', $word));
            self::assertSame([false, true], [$switches($running)[1], $switches(new Store($store))[1]], (string) $word);
        }
        $over(272, pack('P', 0));
        self::command('--store', $store, 'stop-all', '--reason', 'test', '--yes');
        self::assertSame(true, $switches($running)[1]);
        $over(272, pack('P', 2));
        self::assertSame([true, true], [$switches($running)[1], $switches(new Store($store))[1]]);
    }

    public function test_a_store_below_open_basedir_answers_and_one_above_or_beside_it_does_not(): void
    {
        $store = self::store(['portal' => true]);
        $ask = fn (string $path): string => self::php("echo flagstone_use('$path') ? 'used ' : 'not ', feature_enabled('portal') ? 'on ' : 'off ', flagstone_status()['warning'];",
            ['open_basedir' => realpath(self::ROOT) . ":$store"]);
        self::assertSame('used on who can write / is not known: open_basedir hides it', $ask($store));
        self::assertSame('not off', $ask('/'));
        self::assertSame('not off', $ask('/var'));
    }

    // The ninth store threw out the one that was opened first, and with it its last good content.
    public function test_a_store_among_twenty_keeps_its_last_good_content(): void
    {
        $stores = [];
        for ($number = 0; $number < 20; ++$number) {
            $stores[] = $store = self::store(['portal' => true]);
            self::publish($store, ['portal' => false]);
        }
        $ask = static function () use ($stores): array {
            return array_map(static function (string $store): array {
                return [flagstone_use($store), flagstone_refresh(), feature_enabled('portal')];
            }, $stores);
        };
        $ask();
        unlink(self::snapshot($stores[0]));
        self::assertSame(array_fill(0, 20, [true, false, false]), $ask());
    }

    public function test_a_store_that_was_left_stays_open(): void
    {
        [$one, $two] = [self::store(['portal' => true]), self::store(['portal' => false])];
        $snapshots = [];
        foreach ([$one, $two, $one, $two, $one] as $store) {
            self::assertSame(true, flagstone_use($store));
            self::assertSame([$store === $one, $store], [feature_enabled('portal'), flagstone_status()['store']]);
            $snapshots[$store][spl_object_id(Process::store()->snapshot)] = Process::store()->snapshot;
        }
        self::assertSame([1, 1], array_map('count', array_values($snapshots)));
    }

    public function test_the_first_refresh_of_a_process_moves_to_a_generation_the_second_does_not(): void
    {
        $store = self::store(['portal' => true]);
        self::assertSame('yes no', self::php("echo flagstone_refresh() ? 'yes ' : 'no ', flagstone_refresh() ? 'yes' : 'no';", ['flagstone.store' => $store]));
    }

    public function test_kills_reach_a_process_whatever_its_refresh_interval(): void
    {
        // With refresh = 0 a kill never reached a process that ran already; with 15 it took as many seconds.
        $store = self::store(['portal' => true, 'other' => true]);
        $file = self::definitions(['flags' => ['portal' => true, 'other' => false]]);
        $type = static fn (string $arguments): string => \sprintf('exec(%s);', \var_export(\getenv('FLAGSTONE_BIN') . " --store $store $arguments 2>&1", true));
        $code = 'feature_enabled("portal");' . $type("publish $file --reset all --yes") . $type('kill portal --reason test')
            . '$end = time() + 30; while (feature_enabled("portal") && time() < $end) { usleep(1000); }'
            . 'echo +feature_enabled("portal"), +feature_enabled("other"); flagstone_refresh(); echo +feature_enabled("other");';
        self::assertSame('010', self::php($code, ['flagstone.store' => $store, 'flagstone.refresh' => '0']));
        $other = self::store(['portal' => true, 'other' => true]);
        self::assertSame('010', self::php(\str_replace($store, $other, $code), ['flagstone.store' => $other, 'flagstone.refresh' => '86400']));
    }

    public function test_kills_and_the_stop_reach_a_process_that_can_no_longer_open_the_head(): void
    {
        // It opened the head by its path at each look, and answered as before where that failed.
        $store = self::store(['portal' => true, 'other' => true]);
        $reader = new Store($store);
        $look = function (string $store, string ...$command) use ($reader): array {
            self::command('--store', $store, ...$command);
            $reader->checkForUpdate();

            return [$reader->killed, $reader->stopped];
        };
        rename($store, "$store-moved");
        self::assertSame([['portal'], false], $look("$store-moved", 'kill', 'portal', '--reason', 'test'));
        self::assertSame(true, str_contains((string) $reader->lastError(), 'cannot look at the head'));
        self::assertSame([['portal'], true], $look("$store-moved", 'stop-all', '--reason', 'test', '--yes'));
        self::assertSame([[], true], $look("$store-moved", 'revive', 'portal'));
        self::command('init', $store, '--environment', 'staging');
        self::assertSame([[], false], $look("$store-moved", 'resume-all'), 'another environment\'s store in its place');
        self::assertSame([['other'], false], $look("$store-moved", 'kill', 'other', '--reason', 'test'));
        exec('rm -r ' . escapeshellarg($store));
        rename("$store-moved", $store);
        self::assertSame([['other', 'portal'], false], $look($store, 'kill', 'portal', '--reason', 'test'));
        self::assertSame(null, $reader->lastError());
    }

    public function test_a_kill_reaches_a_process_without_a_free_descriptor(): void
    {
        $store = self::store(['portal' => true]);
        $kill = var_export(getenv('FLAGSTONE_BIN') . " --store $store kill portal --reason test", true);
        $code = "flagstone_use('$store'); flagstone_refresh(); flagstone_status(); echo +feature_enabled('portal'); \$kill = proc_open($kill, [['pipe', 'r'], ['file', '/dev/null', 'w'], ['file', '/dev/null', 'w']], \$pipes);"
            . 'while (proc_get_status($kill)["running"]) { usleep(1000); } while ($file = @fopen("/dev/null", "r")) { $held[] = $file; }'
            . 'flagstone_refresh(); echo +feature_enabled("portal"), " ", flagstone_status()["last_error"];';
        exec('ulimit -n 40; ' . self::line($code) . ' 2>&1', $output);
        self::assertSame("10 cannot open the head $store/head: the process has no free descriptor (`ulimit -n`)", implode("\n", $output));
    }

    public function test_forked_processes_that_share_the_heads_stream_read_it_whole(): void
    {
        $store = self::store(['portal' => true]);
        // A failed attempt is as good as no look: other processes moved the position each time.
        $code = "use Flagstone\\Polyfill\\{Head, LoadError, Trust}; \$head = Head::read(Trust::directory('$store')); class_exists(LoadError::class);"
            . '$isSound = static function () use ($head): bool { try { return $head->reread()->same($head); } catch (LoadError $problem) { return $problem->getCode() === LoadError::UNREAD; } };'
            . 'for ($child = 0; $child < 4; ++$child) { if (($pid = pcntl_fork()) === 0) { for ($look = 0; $look < 2000; ++$look) { if (!$isSound()) { exit(1); } } exit(0); } $pids[] = $pid; }'
            . 'foreach ($pids as $pid) { pcntl_waitpid($pid, $status); echo pcntl_wexitstatus($status); }';
        self::assertSame('0000', self::php($code));
    }

    public function test_everything_is_off_once_a_head_could_not_be_read_at_all_for_some_seconds(): void
    {
        $store = self::store(['portal' => true]);
        $code = "flagstone_use('$store'); rename('$store', '$store-moved'); array_map('fclose', get_resources('stream'));"
            . '$look = function (int $seconds) { $store = Flagstone\Polyfill\Process::store(); $since = new ReflectionProperty($store, "unreadSince");'
            . '$since->setValue($store, $since->getValue($store) === null ? null : hrtime(true) - $seconds * 1_000_000_000); flagstone_refresh();'
            . 'return feature_explain("portal")["reason"] . ", " . json_encode(flagstone_status()["stopped"]) . "\n"; };'
            . "\$found = \$look(0) . \$look(1) . \$look(9) . flagstone_status()['last_error'] . PHP_EOL; rename('$store-moved', '$store'); file_put_contents('$store/found', \$found . \$look(9));";
        self::php($code, ['error_log' => "$store-log"]);
        $off = "cannot look at the head $store/head: it is not there, or may not be looked at; which flags are killed is not known any more: everything is off until the head can be read";
        self::assertSame("full, false\nfull, false\nkilled, true\n$off\nfull, false\n", file_get_contents("$store/found"));
        self::assertSame(1, substr_count((string) file_get_contents("$store-log"), "flagstone: $off\n"));
    }

    public function test_a_store_that_everybody_can_write_is_refused_with_what_to_type(): void
    {
        $store = self::store(['portal' => true]);
        chmod($store, 0o777);
        self::assertSame(false, flagstone_use($store));
        self::assertSame(true, str_contains(flagstone_status()['last_error'], 'is writable by everybody (mode 0777). Type: chmod o-w '));
        chmod($store, 0o775);
        self::assertSame(true, flagstone_use($store . '/'));
        self::assertSame(true, str_contains(flagstone_status()['warning'], 'is writable by a group (mode 0775)'));
    }

    public function test_a_renamed_flag_answers_to_both_keys_and_is_counted_once(): void
    {
        $flags = ['new' => ['was' => 'old', 'enabled' => true, 'rollout' => ['percentage' => 100]], 'other' => false];
        $found = static fn (): array => [flagstone_status()['flags'], feature_enabled('old'), feature_enabled('new'), count(feature_all())];
        self::assertSame(true, flagstone_use(self::store(['old' => true, 'other' => false])));
        self::publish(flagstone_status()['store'], $flags);
        flagstone_refresh();
        self::assertSame([2, true, true, 3], $found());
        Process::useFile(self::definitions(['flags' => $flags]));
        self::assertSame([2, true, true, 3], $found());
        Process::useFile(null);
    }

    /** The command that cannot read the snapshot kills the key that was typed alone: whoever asked by the other had the flag on. */
    public function test_a_kill_by_one_key_of_a_renamed_flag_holds_for_both(): void
    {
        foreach (['new', 'old'] as $key) {
            $store = self::store(['new' => ['was' => 'old', 'enabled' => true]]);
            $snapshot = self::snapshot($store);
            rename($snapshot, "$store/aside");
            self::command('--store', $store, 'kill', $key, '--reason', 'test');
            rename("$store/aside", $snapshot);
            self::assertSame(true, flagstone_use($store));
            self::assertSame([false, false], [feature_enabled('new'), feature_enabled('old')], $key);
        }
    }

    public function test_nothing_of_a_broken_store_reaches_the_output_or_an_error_handler(): void
    {
        $handler = 'set_error_handler(function ($s, $m) { echo "handler: $m"; return true; }, E_ALL);';
        self::assertSame('off', self::php("$handler flagstone_use('/nonexistent/store'); echo feature_enabled('x', 1) ? 'on' : 'off';"));
        $store = self::store(['portal' => true]);
        file_put_contents("$store/head", 'short');
        self::assertSame('off', self::php("$handler flagstone_use('$store'); echo feature_enabled('portal', 1) ? 'on' : 'off';"));
    }

    public function test_a_limit_of_regular_expressions_does_not_refuse_the_head(): void
    {
        // The name of its environment was called not valid, and a restore advised.
        $store = self::store(['portal' => true]);
        $code = 'flagstone_use(' . \var_export($store, true) . '); echo +feature_enabled("portal"), flagstone_status()["last_error"];';
        self::assertSame('1', self::php($code, ['pcre.backtrack_limit' => '0']));
        self::assertStringContainsString($store, self::php("flagstone_use('$store-2'); echo flagstone_status()['last_error'];", ['pcre.backtrack_limit' => '0']));
    }

    public function test_a_function_that_disable_functions_names_costs_at_most_the_answers(): void
    {
        $store = self::store(['portal' => true]);
        $ask = "flagstone_use('$store'); echo feature_enabled('portal', 1) ? 'on' : 'off', ' ', flagstone_status()['last_error'] ?? 'none';";
        // What hosters and hardening guides name.
        $usual = 'exec,passthru,shell_exec,system,proc_open,proc_close,popen,pcntl_fork,pcntl_exec,posix_geteuid,posix_getpwuid,getmypid,getmyuid,get_current_user,'
            . 'php_uname,phpversion,phpinfo,getenv,putenv,ini_get,ini_get_all,ini_set,ini_restore,get_cfg_var,set_time_limit,symlink,link,readlink,chmod,chown,fileowner,'
            . 'disk_free_space,memory_get_usage,usleep,sleep,error_log,dl,highlight_file,show_source,parse_ini_file,get_loaded_extensions,gethostname';
        self::assertSame('on none', self::php($ask, ['disable_functions' => $usual]));
        $based = ['memory_limit' => '64M', 'open_basedir' => dirname($store) . ':' . realpath(self::ROOT)];
        self::assertSame('on none', self::php($ask, ['disable_functions' => str_replace('ini_get,', '', $usual)] + $based));
        // Nobody tells what open_basedir hides.
        $found = self::php($ask, ['disable_functions' => $usual] + $based);
        self::assertSame(true, str_starts_with($found, 'off ') && str_contains($found, 'or open_basedir forbids it'), $found);
        foreach (['hash', 'fopen', 'lstat', 'fstat', 'unpack', 'clearstatcache'] as $function) {
            $found = self::php($ask, ['disable_functions' => $function]);
            self::assertSame(true, str_starts_with($found, 'off ') && str_contains($found, "without $function(), which disable_functions"), "$function: $found");
        }
        // An error that nothing caught, or a reason that was none.
        foreach (['hrtime', 'debug_backtrace', 'realpath', 'get_cfg_var'] as $function) {
            self::assertSame('on none1', self::php("$ask echo flagstone_request_begin(); feature_enabled('portal'); flagstone_request_end();", ['disable_functions' => $function]), $function);
        }
        self::assertSame('1', self::php("echo +flagstone_use('$store/.');", ['disable_functions' => 'realpath', 'flagstone.store' => $store]));
        $found = self::php("chdir(dirname('$store')); " . str_replace("$store'", basename($store) . "'", $ask), ['disable_functions' => 'getcwd']);
        self::assertSame(true, str_starts_with($found, 'off ') && str_contains($found, 'without getcwd(), which disable_functions'), $found);
        $found = self::php("feature_enabled('portal'); echo flagstone_status()['last_error'], '; ', flagstone_status()['warning'];", ['disable_functions' => 'get_cfg_var', 'flagstone.store' => $store]);
        self::assertSame(2, substr_count($found, 'without get_cfg_var(), which disable_functions'), $found);
        self::assertStringNotContainsString('Uncaught', self::php($ask, ['disable_functions' => 'file_get_contents', 'flagstone.owner' => 'root']));
        symlink($store, "$store-link");
        $found = self::php(str_replace("$store'", "$store-link'", $ask), ['disable_functions' => 'readlink']);
        self::assertSame(true, str_starts_with($found, 'off ') && str_contains($found, 'disable_functions in php.ini names readlink'), $found);
    }

    public function test_a_link_that_is_switched_is_followed_and_judged_each_time(): void
    {
        [$one, $two] = [self::store(['portal' => true]), self::store(['portal' => false])];
        $staging = getenv('FLAGSTONE_TEST_DIR') . '/staging';
        self::command('--store', $staging, 'init', '--environment', 'staging');
        self::publish($staging, ['portal' => false]);
        $directory = getenv('FLAGSTONE_TEST_DIR') . '/links';
        mkdir($directory);
        chmod($directory, 0755);
        $lead = function (string $target) use ($directory): array {
            @unlink("$directory/new");
            symlink($target, "$directory/new");
            rename("$directory/new", "$directory/current");
            usleep(1_100_000);
            flagstone_use("$directory/current");
            flagstone_refresh();

            return [feature_enabled('portal', 1), flagstone_status()['store'], (string) flagstone_status()['last_error']];
        };
        self::assertSame([true, realpath($one), ''], $lead($one));
        self::assertSame([false, realpath($two), ''], $lead($two));
        [, $store, $error] = $lead($staging);
        self::assertSame(realpath($two), $store);
        self::assertSame(true, str_contains($error, 'a store for "staging", expected "production"'), $error);
        self::assertSame([true, realpath($one), ''], $lead($one));
        chmod($two, 0777);
        [$on, $store, $error] = $lead($two);
        self::assertSame([true, realpath($one)], [$on, $store]);
        self::assertSame(true, str_contains($error, 'is writable by everybody'), $error);
        chmod($two, 0755);
    }

    public function test_a_pipe_in_the_place_of_a_file_is_not_waited_for(): void
    {
        $store = self::store(['portal' => true]);
        foreach (['head', 'snapshots/' . basename(glob("$store/snapshots/*")[0])] as $file) {
            rename("$store/$file", "$store/away");
            exec('mkfifo ' . escapeshellarg("$store/$file"));
            $began = microtime(true);
            self::assertSame('off', self::php("flagstone_use('$store'); echo feature_enabled('portal', 1) ? 'on' : 'off';"));
            self::assertSame(true, microtime(true) - $began < 5, $file);
            unlink("$store/$file");
            rename("$store/away", "$store/$file");
        }
        // Between a look and the opening, too.
        exec('mkfifo ' . escapeshellarg("$store/pipe"));
        link("$store/head", "$store/file");
        $swap = proc_open([PHP_BINARY, '-n', '-r', 'chdir($argv[1]); for (;;) { foreach (["pipe", "file"] as $name) { link($name, "new"); rename("new", "head"); @unlink("new"); } }', '--', $store],
            [1 => ['file', '/dev/null', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
        $ask = 'foreach (range(1, 40000) as $n) { try { fclose(Flagstone\\Polyfill\\Head::open("' . $store . '/head", "open")[0]); echo "o"; } catch (Flagstone\\Polyfill\\LoadError) { echo "r"; } }';
        exec('timeout 20 ' . escapeshellarg(PHP_BINARY) . ' -n -r ' . escapeshellarg('require ' . var_export(self::ROOT . '/polyfill/bootstrap.php', true) . "; $ask"), $output, $code);
        proc_terminate($swap, 9);
        proc_close($swap);
        self::assertSame([0, 40000], [$code, strlen($output[0] ?? '')], 'a worker waited for a pipe');
        self::assertSame(true, str_contains($output[0], 'o') && str_contains($output[0], 'r'), 'both were met');
    }

    /** @param resource $file */
    private static function flip(mixed $file, int $at): void
    {
        fseek($file, $at);
        $byte = (string) fread($file, 1);
        fseek($file, $at);
        fwrite($file, ~$byte);
        fflush($file);
    }
}
