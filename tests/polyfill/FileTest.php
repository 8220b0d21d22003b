<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\Tests;

use Flagstone\Polyfill\Process;
use ReflectionClass;
use ReflectionMethod;

/** A file of definitions in the place of a store, and the marks of requests. */
final class FileTest extends TestCase
{
    public function test_a_file_of_definitions_answers_without_a_store_with_an_environment_and_an_overlay_merged_into_it(): void
    {
        $file = self::definitions(['flags' => ['portal' => false, 'other' => true], 'environments' => ['staging' => ['flags' => ['portal' => true]]]]);
        $overlay = self::definitions(['flags' => ['other' => false]]);
        self::assertSame([true, false, true], [Process::useFile($file), feature_enabled('portal'), feature_enabled('other')]);
        self::assertSame([true, true, true], [Process::useFile($file, 'staging'), feature_enabled('portal'), feature_enabled('other')]);
        self::assertSame([true, true, false], [Process::useFile($file, 'staging', $overlay), feature_enabled('portal'), feature_enabled('other')]);
        self::assertSame([$file, 'staging', 'current', 2], array_values(array_intersect_key(flagstone_status(), ['store' => 0, 'environment' => 0, 'source' => 0, 'flags' => 0])));
        self::assertSame([true, true], [Process::useFile($file, null, "$file.none"), feature_enabled('other')]);
        Process::useFile(null);
        flagstone_use($store = self::store(['portal' => true]));
        self::assertSame([$store, true], [flagstone_status()['store'], feature_enabled('portal')]);
    }

    public function test_an_environment_that_the_document_does_not_name_is_refused_as_check_refuses_it(): void
    {
        // Its patch was left out: "Production" had what is off in production.
        $many = array_fill_keys(array_map(static fn (int $number): string => "e$number", range(1, 12)), new \stdClass());
        foreach ([[['production' => ['flags' => ['portal' => false]], 'staging' => new \stdClass()], 'Production'], [['staging' => new \stdClass()], 'qa'], [$many, 'other']] as [$environments, $name]) {
            $file = self::definitions(['flags' => ['portal' => true], 'environments' => $environments]);
            self::assertSame([false, false], [Process::useFile($file, $name), feature_enabled('portal')]);
            exec(escapeshellarg((string) getenv('FLAGSTONE_BIN')) . " check $file --environment $name 2>&1", $output, $code);
            [$problem, $remedy] = explode(': ', substr((string) flagstone_status()['last_error'], strlen("$file: ")) . ': ', 3);
            self::assertSame(1, $code);
            self::assertStringContainsString($problem, implode("\n", $output));
            self::assertStringContainsString($remedy, implode("\n", $output));
            self::assertSame([true, true], [Process::useFile($file, $name, null, true), feature_enabled('portal')], 'where it may be skipped');
        }
        self::assertTrue(Process::useFile(self::definitions(['flags' => new \stdClass(), 'environments' => new \stdClass()]), 'any'));
        Process::useFile(null);
    }

    public function test_a_file_that_changes_is_read_again_be_it_within_one_second_by_another_size_another_inode_or_its_overlay(): void
    {
        $file = self::definitions(['flags' => ['portal' => false]]);
        Process::useFile($file, null, "$file.local");
        self::assertSame([false, false], [feature_enabled('portal'), flagstone_refresh()]);
        foreach (['true ' => true, 'false' => false, 'true' => true] as $word => $on) {
            file_put_contents($file, "{\"flags\":{\"portal\":$word}}");
            self::assertSame([true, $on], [flagstone_refresh(), feature_enabled('portal')], $word);
        }
        file_put_contents("$file.local", '{"flags":{"portal":false}}');
        self::assertSame([true, false], [flagstone_refresh(), feature_enabled('portal')]);
        unlink("$file.local");
        self::assertSame([true, true], [flagstone_refresh(), feature_enabled('portal')]);
        // Long settled: nothing is read, and a new inode of the same time and size is noticed.
        touch($file, 1_700_000_000);
        flagstone_refresh();
        self::assertSame(false, flagstone_refresh());
        file_put_contents("$file.new", '{"flags":{"portaI":true}}');
        touch("$file.new", 1_700_000_000);
        rename("$file.new", $file);
        self::assertSame([true, false], [flagstone_refresh(), feature_enabled('portal')]);
        Process::useFile(null);
    }

    public function test_what_a_mark_holds_is_answered_until_its_end_be_it_of_a_file(): void
    {
        $file = self::definitions(['flags' => ['portal' => true]]);
        Process::useFile($file);
        flagstone_request_begin();
        file_put_contents($file, '{"flags":{"portal":false}}');
        flagstone_request_begin();
        flagstone_request_end();
        self::assertSame(true, feature_enabled('portal'));
        flagstone_request_end();
        flagstone_request_begin();
        self::assertSame(false, feature_enabled('portal'));
        flagstone_request_end();
        Process::useFile(null);
    }

    public function test_a_mark_that_is_lost_holds_nothing_and_marks_that_overlap_end_by_their_tokens(): void
    {
        $file = self::definitions(['flags' => ['portal' => true]]);
        Process::useFile($file);
        foreach ([true, false, true, false] as $number => $on) {
            file_put_contents($file, json_encode(['flags' => ['portal' => $on]]));
            // The first has no end.
            flagstone_request_begin();
            self::assertSame($on, feature_enabled('portal'), "request $number");
            if ($number > 0) {
                flagstone_request_end(200);
            }
        }
        $first = flagstone_request_begin();
        $second = flagstone_request_begin();
        flagstone_request_end(200, $first);
        file_put_contents($file, '{"flags":{"portal":true}}');
        $third = flagstone_request_begin();
        self::assertSame(true, feature_enabled('portal'), 'the second mark holds nothing');
        flagstone_request_end(200, $second);
        file_put_contents($file, '{"flags":{"portal":false}}');
        self::assertSame(true, feature_enabled('portal'), 'the third one does');
        flagstone_request_end(200, $third);
        Process::useFile(null);
    }

    public function test_the_instant_stays_within_a_mark_and_when_a_file_or_store_is_named(): void
    {
        // A step of a schedule came in the middle of a job, so that its two halves had two answers.
        $process = new ReflectionClass(Process::class);
        $askAfterALook = static function () use ($process): int {
            $process->setStaticPropertyValue('checkedAt', 0);
            $process->setStaticPropertyValue('movedAt', 0);
            feature_enabled('portal');

            return $process->getStaticPropertyValue('now');
        };
        $token = flagstone_request_begin();
        $process->setStaticPropertyValue('now', 1);
        self::assertSame(1, $askAfterALook());
        Process::useFile(self::definitions(['flags' => ['portal' => true]]));
        self::assertSame(1, $askAfterALook(), 'a file is named');
        flagstone_request_end(200, $token);
        $before = Process::clock();
        self::assertSame(true, $askAfterALook() >= $before, 'the request is over');
        $process->setStaticPropertyValue('now', 1);
        flagstone_request_end(200, flagstone_request_begin());
        self::assertSame(true, $process->getStaticPropertyValue('now') >= $before, 'the next one begins with its own');
        Process::useFile(null);
    }

    public function test_the_generation_that_is_told_is_the_one_that_answers(): void
    {
        $file = self::definitions(['flags' => ['portal' => true]]);
        Process::useFile($file);
        $token = flagstone_request_begin();
        $before = feature_explain('portal', 1)['generation'];
        file_put_contents($file, '{"flags":{"portal":false}}');
        (new ReflectionMethod(Process::class, 'advanceToNewest'))->invoke(null);
        $explained = feature_explain('portal', 1);
        self::assertSame([true, $before, $before], [$explained['enabled'], $explained['generation'], flagstone_status()['generation']]);
        flagstone_request_end(200, $token);
        flagstone_refresh();
        self::assertSame([false, true], [feature_explain('portal', 1)['enabled'], flagstone_status()['generation'] > $before]);
        Process::useFile(null);
    }

    public function test_a_plan_and_its_owner_are_no_matter_of_the_answer(): void
    {
        $plan = ['stages' => [['companies' => [42, 'x'], 'soak' => '7d'], ['percentage' => 50, 'soak' => '90m'], ['percentage' => 100]]];
        Process::useFile(self::definitions(['flags' => ['portal' => ['rollout' => ['percentage' => 0], 'managed' => 'git', 'plan' => $plan]]]));
        self::assertSame([false, false, 'rollout_out'], [feature_enabled('portal', 42), feature_enabled('portal', 'x'), feature_explain('portal', 42)['reason']]);
        Process::useFile(null);
    }

    public function test_what_was_good_last_stays_when_a_file_breaks_and_the_status_says_what_is_wrong_and_where(): void
    {
        $file = self::definitions(['flags' => ['portal' => true]]);
        Process::useFile($file, 'staging', "$file.local");
        self::assertSame(true, feature_enabled('portal'));
        foreach ([
            '{"flags": {"portal": true,}}' => ":1:27: /flags: found \"}\", expected a key in double quotes: remove the comma before it",
            "{\n  \"flags\": {\"portal\": True}\n}" => ':2:23: /flags/portal: found "True", expected a value: true, false and null are written in lower case',
            '{"flags": {"portal": true, "portal": false}}' => ':1:28: /flags/portal: found the key "portal" again, expected it once: merge the two, or remove one',
            '{"flags": {"portal": {"rollout": {"percentge": 10}}}}' => ": /flags/portal/rollout/percentge: found the unknown key \"percentge\", expected one of percentage, by, salt, bucketing: did you mean \"percentage\"?\n"
                . "$file: /flags/portal/rollout: found no \"percentage\", expected a number from 0 to 100 with up to three decimals",
            '{"flags": {"portal": {"companies": {"allow": [1, 2, 3]}}}}' => ': /flags/portal: portal allows 3 companies but does not say what the others get: add "rollout": {"percentage": 0} for a pilot, or 100',
            '{"flags": {"portal": {"plan": {"stages": [{"percentage": 10}]}}}}' => ': /flags/portal: portal has a plan but does not say what holds before it: add "rollout": {"percentage": 0} for a pilot, or 100',
            '{"flags": {"portal": {"rollout": {"percentage": 0}, "plan": {"stages": [{"percentage": 10}, {"percentage": 5}]}}}}' =>
                ': /flags/portal/plan/stages/1/percentage: found 5 after 10: a stage has to raise the percentage',
            '{"flags": {"portal": {"rollout": {"percentage": 0}, "plan": {"stages": [{"percentage": 10, "soak": "week"}]}}}}' =>
                ': /flags/portal/plan/stages/0/soak: found "week", expected a length of time such as "12h" or "7d": a number and s, m, h, d or w',
            '{"flags": {"portal": {"rollout": {"percentage": 0}, "plan": {"stages": [{"companies": []}]}}}}' =>
                ': /flags/portal/plan/stages/0/companies: found an empty list, expected companies to let in, one or more',
            '{"flags": {"portal": {"requires": ["portl"]}}}' => ': /flags/portal/requires/0: unknown flag "portl": did you mean "portal"?',
            '{"flags": {"portal": false}, "environments": {"staging": {"flags": {"portal": {"rollout": {"percentage": 5}}}}}}' =>
                ': /environments/staging/flags/portal: portal is false in the document, and the patch does not say "enabled": add "enabled": true or false',
            '{"flags": {"portal": {"enabled": false}}, "environments": {"staging": {"flags": {"portal": {"enabled": null}}}}}' =>
                ': /environments/staging/flags/portal/enabled: found null, expected true or false: without it the flag is enabled',
            '{"flags": {"portal": {"companies": {"deny": [7]}}}, "environments": {"staging": {"flags": {"portal": {"companies": null}}}}}' =>
                ': /environments/staging/flags/portal/companies: found null, which deletes the list of companies that portal denies: write "deny": [] if that is meant',
            '{"flags": {"portal": {"companies": {"deny": [7]}}}, "environments": {"staging": {"flags": {"portal": {"companies": {"deny": null}}}}}}' =>
                ': /environments/staging/flags/portal/companies/deny: found null, which deletes the list of companies that portal denies: write "deny": [] if that is meant',
            '{"flags": {"portal": {"rollout": {"percentage": 99.99999999999999999999}}}}' =>
                ':1:49: /flags/portal/rollout/percentage: found 99.99999999999999999999, expected a number from 0 to 100 with up to three decimals',
            '{"flags": {"portal": {"rollout": {"percentage": 1e-400}}}}' =>
                ':1:49: /flags/portal/rollout/percentage: found 1e-400, expected a number from 0 to 100 with up to three decimals',
            '{"flags": {"portal": {"variants": {"v": {"weight": 100.00000000000000000001}}}}}' =>
                ':1:52: /flags/portal/variants/v/weight: found 100.00000000000000000001, expected a number from 0 to 100 with up to three decimals',
            '{"flags": {"portal": true}, "$comment": {"\u0000a": 1}}' => ":1:42: /\$comment/\u{fffd}a: found a key that begins with \\u0000, which PHP cannot read: give it another name",
            json_encode(['$comment' => self::lists(64), 'flags' => ['portal' => true]]) =>
                ':1:76: /$comment' . str_repeat('/0', 63) . ': found more than 64 objects and lists in each other',
            json_encode(['flags' => ['portal' => ['rollout' => ['percentage' => 0], 'rules' => array_fill(0, 1001, ['when' => ['attribute' => 'a', 'exists' => true]])]]]) =>
                ': /flags/portal/rules: found 1001 rules, expected at most 1000',
        ] as $text => $expected) {
            file_put_contents($file, $text);
            self::assertSame([false, true], [flagstone_refresh(), feature_enabled('portal')], $text);
            $status = flagstone_status();
            self::assertSame(["$file$expected", 'last_good'], [$status['last_error'], $status['source']], $text);
        }
        file_put_contents($file, '{"flags": {"portal": true}}');
        file_put_contents("$file.local", '{"flags": {"portal": {"enabled": "no"}}}');
        flagstone_refresh();
        self::assertSame("$file.local: /flags/portal/enabled: found \"no\", expected true or false", flagstone_status()['last_error'], 'the overlay');
        unlink($file);
        flagstone_refresh();
        self::assertSame([true, "cannot read the definitions $file: it is not there; write {\"flags\": {}} into it to begin with"], [feature_enabled('portal'), flagstone_status()['last_error']]);
        file_put_contents($file, '{"flags": {"portal": false}}');
        unlink("$file.local");
        self::assertSame([true, false, null], [flagstone_refresh(), feature_enabled('portal'), flagstone_status()['last_error']]);
        Process::useFile(null);
    }

    public function test_a_number_counts_as_it_is_written_and_64_levels_are_read(): void
    {
        // A percentage was one that a float had rounded to; 64 levels were refused with "No error".
        foreach (['33.3330000000000000', '1000000000000000e-14', '0.00e-400', '3.3333e1'] as $percentage) {
            self::assertTrue(Process::useFile(self::definitions('{"flags": {"portal": {"rollout": {"percentage": ' . $percentage . '}}}}')), $percentage);
        }
        foreach ([
            '{"flags": {"portal": {"variants": {"v": {"weight": 100, "value": {"percentage": 33.333000000000000000000000001}}}}}}',
            '{"$comment": {"weight": 99.99999999999999999999}, "flags": {"portal": true}}',
            json_encode(['$comment' => self::lists(63), 'flags' => ['portal' => true]]),
        ] as $text) {
            self::assertTrue(Process::useFile(self::definitions($text)), (string) flagstone_status()['last_error']);
        }
        Process::useFile(null);
    }

    public function test_a_rule_keeps_out_a_company_whose_id_is_written_as_a_string(): void
    {
        // The string equaled no company, so the rule let it in.
        $rule = static fn (array $test): array => ['rollout' => ['percentage' => 0], 'rules' => [['when' => ['attribute' => 'company'] + $test]]];
        Process::useFile(self::definitions(['flags' => ['a' => $rule(['not_in' => ['1', 2, 'acme']]), 'b' => $rule(['eq' => '42']), 'c' => $rule(['lt' => '43']), 'd' => $rule(['ne' => '042'])]]));
        $on = static fn (string $flag, int|string ...$companies): array => array_map(static fn (int|string $company): bool => feature_enabled($flag, $company), $companies);
        self::assertSame([false, false, false, false, true], $on('a', 1, '1', 2, 'acme', 3));
        self::assertSame([true, true, false], $on('b', 42, '42', '042'));
        self::assertSame([false, false, false, true], [...$on('c', 42, '42'), ...$on('d', '042', 'x')]);
        Process::useFile(null);
    }

    public function test_a_limit_of_regular_expressions_refuses_no_file(): void
    {
        // Keys, times and tokens were matched by patterns, which find nothing then: every file was refused.
        $flag = '{"rollout": {"percentage": 100.0000000000000000, "by": "user_id"}, "guard": {"window": "5m"}, "description": "\u003a 12345678901234567890"}';
        $plan = '{"rollout": {"percentage": 0}, "plan": {"stages": [{"percentage": 10, "soak": "7d"}]}, "rules": [{"when": {"attribute": "plan", "eq": "pro"}}]}';
        $good = '{"flags": {"portal": ' . $flag . ', "planned": ' . $plan . '}, "environments": {"staging": {}}}';
        $texts = [$good];
        foreach (['"portal"' => '"por tal"', '"5m"' => '"m"', '100.0' => '100.0001', '"planned"' => '"portal"', '"staging"' => '"Staging"', '{}}}' => "{}},\xC3\xA9\xFF}", '"pro"' => 'é0 pro', '"7d"' => "'7d'", '"plan",' => '"\x",'] as $sound => $fault) {
            $texts[] = str_replace($sound, $fault, $good);
        }
        $code = '$said = []; foreach (unserialize(file_get_contents(' . var_export($list = self::definitions(serialize($texts)), true) . ')) as $number => $text) { file_put_contents($file = "' . $list . '.$number", $text);'
            . 'Flagstone\Polyfill\Process::useFile($file); $said[] = flagstone_status()["last_error"] ?? +feature_enabled("portal"); } echo serialize($said);';
        $said = unserialize(self::php($code, ['pcre.backtrack_limit' => '0']));
        self::assertSame([1, count($texts)], [$said[0], count(array_unique($said))], var_export($said, true));
        self::assertSame(unserialize(self::php($code)), $said);
    }

    /** Lists in each other. */
    private static function lists(int $levels): array
    {
        return $levels === 1 ? [] : [self::lists($levels - 1)];
    }

    public function test_a_file_that_is_half_written_when_a_process_opens_it_is_waited_for(): void
    {
        $file = self::definitions('{"flags": {"por');
        $whole = self::definitions(['flags' => ['portal' => true]]);
        exec('(sleep 0.03; mv ' . escapeshellarg($whole) . ' ' . escapeshellarg($file) . ') >/dev/null 2>&1 &');
        self::assertSame([true, true], [Process::useFile($file), feature_enabled('portal')]);
        Process::useFile(null);
    }

    public function test_an_overlay_that_is_there_and_cannot_be_read_is_refused(): void
    {
        // It counted as absent, and its "off" was lost.
        $file = self::definitions(['flags' => ['portal' => true, 'other' => true]]);
        $states = static fn (): array => [feature_enabled('portal'), feature_enabled('other'), flagstone_status()['source'], flagstone_status()['last_error']];
        $folder = 'it is no file; put a file in its place, or remove it';
        $link = 'it is a link to what is not there; write that file, or remove the link';
        foreach ([$folder => 'mkdir %s', $link => 'ln -s /nonexistent/overlay %s'] as $why => $command) {
            $overlay = "$file." . strtok($command, ' ');
            exec(sprintf($command, escapeshellarg($overlay)));
            self::assertSame([false, false, false, 'none', "cannot read the overlay $overlay: $why"], [Process::useFile($file, null, $overlay), ...$states()]);
        }
        file_put_contents("$file.local", '{"flags": {"portal": false}}');
        Process::useFile($file, null, "$file.local");
        self::assertSame([false, true, 'current', null], $states());
        unlink("$file.local");
        mkdir("$file.local");
        self::assertSame([false, false, true, 'last_good', "cannot read the overlay $file.local: $folder"], [flagstone_refresh(), ...$states()]);
        rmdir("$file.local");
        self::assertSame([true, true, true, 'current', null], [flagstone_refresh(), ...$states()]);
        Process::useFile(null);
    }

    public function test_a_mode_that_forbids_the_overlay_refuses_it_and_one_that_allows_it_is_noticed(): void
    {
        // It counted as absent, and its "off" was lost.
        self::assertSame(0, posix_geteuid(), 'run as root: nobody else can play two users');
        $folder = sys_get_temp_dir() . '/flagstone-overlay-' . bin2hex(random_bytes(8));
        mkdir($folder, 0o755);
        file_put_contents("$folder/flags.json", '{"flags": {"portal": true}}');
        file_put_contents("$folder/flags.local.json", '{"flags": {"portal": false}}');
        chmod("$folder/flags.local.json", 0o600);
        try {
            posix_seteuid(64_010);
            Process::useFile("$folder/flags.json", null, "$folder/flags.local.json");
            self::assertSame([false, "cannot read the overlay $folder/flags.local.json: it may not be read; give this user the right to"], [feature_enabled('portal'), flagstone_status()['last_error']]);
            posix_seteuid(0);
            chmod("$folder/flags.local.json", 0o644);
            posix_seteuid(64_010);
            self::assertSame([true, false, null], [flagstone_refresh(), feature_enabled('portal'), flagstone_status()['last_error']]);
        } finally {
            posix_seteuid(0);
            Process::useFile(null);
            array_map(unlink(...), glob("$folder/*"));
            rmdir($folder);
        }
    }

    public function test_other_content_of_the_same_size_inode_and_time_of_change_is_noticed(): void
    {
        // `cp -p` and `tar` set the time of change back.
        $file = self::definitions('');
        $write = static function (string $word) use ($file): void {
            file_put_contents($file, "{\"flags\":{\"portal\":$word}}");
            touch($file, 1_700_000_000);
        };
        $write('false');
        Process::useFile($file);
        self::assertSame(false, feature_enabled('portal'));
        $write('true ');
        self::assertSame([true, true], [flagstone_refresh(), feature_enabled('portal')]);
        // Settled by then.
        sleep(4);
        flagstone_refresh();
        $write('false');
        self::assertSame([true, false], [flagstone_refresh(), feature_enabled('portal')]);
        Process::useFile(null);
    }

    public function test_each_request_to_a_server_answers_from_the_file_as_it_is_then(): void
    {
        $file = self::definitions(['flags' => ['portal' => true]]);
        $script = "$file.php";
        file_put_contents($script, '<?php require ' . var_export(self::ROOT . '/polyfill/bootstrap.php', true) . ';
            Flagstone\Polyfill\Process::useFile(' . var_export($file, true) . ');
            echo feature_enabled("portal") ? "on" : "off";');
        $server = proc_open([PHP_BINARY, '-n', '-S', '127.0.0.1:0', $script], [1 => ['file', '/dev/null', 'w'], 2 => ['pipe', 'w']], $pipes);
        $line = (string) fgets($pipes[2]);
        self::assertSame(1, preg_match('~http://127.0.0.1:(\d+)~', $line, $found), $line);
        try {
            self::assertSame('on', file_get_contents("http://127.0.0.1:$found[1]/"));
            file_put_contents($file, '{"flags": {"portal": false}}');
            self::assertSame('off', file_get_contents("http://127.0.0.1:$found[1]/"));
        } finally {
            proc_terminate($server);
            proc_close($server);
        }
    }

    public function test_a_file_is_named_for_one_request_of_a_worker_that_serves_many(): void
    {
        $file = self::definitions(['flags' => ['portal' => true]]);
        $process = new ReflectionClass(Process::class);
        Process::useFile($file);
        self::assertSame(true, feature_enabled('portal'));
        $process->setStaticPropertyValue('isLongLived', false);
        $process->setStaticPropertyValue('servesRequests', true);
        $_SERVER['REQUEST_TIME_FLOAT'] = microtime(true);
        self::assertSame(false, feature_enabled('portal'));
        $process->setStaticPropertyValue('isLongLived', true);
        $process->setStaticPropertyValue('servesRequests', false);
    }

    public function test_what_an_application_writes_into_the_time_of_its_request_begins_none(): void
    {
        // Any other value began another request: the named file was forgotten, and a step of a schedule in the future was reached.
        $file = self::definitions(['flags' => ['portal' => true, 'later' => ['rollout' => ['percentage' => 0], 'schedule' => [['at' => '2200-01-01T00:00:00Z', 'percentage' => 100]]]]]);
        $ask = static fn (bool $servesRequests, string $values): string => self::php('$process = new ReflectionClass(Flagstone\Polyfill\Process::class); Flagstone\Polyfill\Process::useFile("' . $file . '");'
            . '$process->setStaticPropertyValue("isLongLived", false); $process->setStaticPropertyValue("servesRequests", ' . var_export($servesRequests, true) . ');'
            . '$checks = fn () => $process->getStaticPropertyValue("checkedAt"); $before = $checks(); $begin = $_SERVER["REQUEST_TIME_FLOAT"];'
            . "foreach ([$values] as \$_SERVER['REQUEST_TIME_FLOAT']) { echo ' ', +feature_enabled('portal'), +feature_enabled('later', 1), +(\$before !== \$checks()); }");
        $written = 'NAN, INF, -INF, 0.0, -1.0, 7.3e9, "now", null, [], (string) ($begin + 1e-6), $begin - 1.0';
        self::assertSame(str_repeat(' 100', 11), $ask(true, $written));
        self::assertSame(str_repeat(' 100', 13), $ask(false, "$written, microtime(true), time()"));
        self::assertSame(' 100 001 001', $ask(true, '$begin, microtime(true), $begin'), 'another request does');
    }
}
