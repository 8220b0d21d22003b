<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\Tests;

use Flagstone\Polyfill\Evaluator;
use Flagstone\Polyfill\LoadError;
use Flagstone\Polyfill\Process;
use Flagstone\Polyfill\Snapshot;
use ReflectionClass;
use ReflectionProperty;

/** What is read of a snapshot, whatever lies in it. */
final class SnapshotTest extends TestCase
{
    public function test_no_byte_of_a_snapshot_can_be_changed_without_being_noticed(): void
    {
        $store = self::store(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 30], 'companies' => ['allow' => [1, 'x']]]]);
        $file = self::snapshot($store);
        $bytes = file_get_contents($file);
        $end = unpack('P', $bytes, 64 + 13 * 24)[1];
        $read = static function (string $bytes): ?string {
            $memory = fopen('php://memory', 'w+b');
            fwrite($memory, $bytes);
            rewind($memory);
            try {
                Snapshot::read($memory, strlen($bytes));
            } catch (LoadError $problem) {
                return $problem->getMessage();
            }

            return null;
        };
        self::assertSame(null, $read($bytes));
        $covered = [[0, 512]];
        for ($section = 0; $section < 13; ++$section) {
            $covered[] = array_values(unpack('P2', $bytes, 64 + $section * 24));
        }
        foreach ($covered as [$offset, $size]) {
            for ($at = $offset; $at < $offset + $size; ++$at) {
                $damaged = $bytes;
                $damaged[$at] = chr(ord($damaged[$at]) ^ 0x40);
                self::assertSame(true, $read($damaged) !== null, "byte $at of $end");
            }
        }
        foreach ([0, 8, 511, 512, $end - 1, strlen($bytes) - 1] as $length) {
            self::assertSame(true, $read(substr($bytes, 0, $length)) !== null, "cut to $length");
        }
    }

    public function test_a_long_list_that_stays_in_the_file_answers_as_one_in_memory_and_damage_to_it_is_noticed(): void
    {
        mt_srand(7);
        $random = array_map(static fn () => mt_rand(), range(1, 9_000));
        $texts = array_map(static fn (int $id): string => "company-$id", $random);
        $dense = range(1_000, 900_000, 3);
        $on = ['enabled' => true, 'rollout' => ['percentage' => 0]];
        $store = self::store(['random' => $on + ['companies' => ['allow' => [...$random, ...$texts]]], 'dense' => $on + ['companies' => ['allow' => $dense]]]);
        $path = self::snapshot($store);
        $size = filesize($path);
        $read = static fn (bool $whole): Snapshot => Snapshot::read(fopen($path, 'rb'), $size, $whole);
        new Evaluator($read(false), [], false);
        $before = memory_get_usage();
        $file = new Evaluator($read(false), [], false);
        self::assertSame(true, memory_get_usage() - $before < 100_000, 'the lists are in memory');
        $memory = new Evaluator($read(true), [], false);
        $met = [];
        foreach ([...array_slice($random, 0, 500), ...array_slice($texts, 0, 500), ...range(900, 2_000), 900_000, -1, PHP_INT_MAX, 'acme'] as $company) {
            foreach (['random', 'dense'] as $flag) {
                $number = $memory->snapshot->find($flag);
                $allowed = $memory->enabled($number, $company, [], 0);
                self::assertSame($allowed, $file->enabled($number, $company, [], 0), "$flag $company");
                $met[$flag . gettype($company)][$allowed] = true;
            }
        }
        self::assertSame([2, 2, 2, 1], [count($met['randominteger']), count($met['randomstring']), count($met['denseinteger']), count($met['densestring'])]);

        $bytes = file_get_contents($path);
        chmod($path, 0o644);
        foreach ([11, 12] as $section) {
            [$offset, $length] = array_values(unpack('P2', $bytes, 64 + $section * 24));
            foreach ([$offset, $offset + intdiv($length, 2), $offset + $length - 1] as $at) {
                file_put_contents($path, substr_replace($bytes, $bytes[$at] ^ "\x40", $at, 1));
                try {
                    $read(false);
                    self::fail("byte $at was changed unnoticed");
                } catch (LoadError $problem) {
                    self::assertSame(true, str_contains($problem->getMessage(), 'checksum'), $problem->getMessage());
                }
            }
        }
        file_put_contents($path, $bytes);
        $cut = new Evaluator($read(false), [], false);
        file_put_contents($path, substr($bytes, 0, 2_000));
        try {
            $cut->enabled($cut->snapshot->find('random'), $random[0], [], 0);
            self::fail('nothing was thrown');
        } catch (LoadError $problem) {
            self::assertSame(true, str_contains($problem->getMessage(), 'fewer than the bytes that it had'));
        }
    }

    public function test_records_that_lead_out_of_their_section_turn_their_flag_off_and_nothing_is_thrown(): void
    {
        $store = self::store(['base' => true, 'off' => false, 'child' => ['enabled' => true, 'requires' => ['off']], 'portal' => ['enabled' => true, 'requires' => ['base'], 'rollout' => ['percentage' => 50],
            'companies' => ['allow' => [1, 'x'], 'deny' => [2]], 'rules' => [['name' => 'r', 'when' => ['attribute' => 'plan', 'in' => ['a', 1]]]],
            'variants' => ['v' => ['weight' => 100, 'value' => ['a' => [1]]]]]]);
        $bytes = file_get_contents(self::snapshot($store));
        $process = new ReflectionClass(Process::class);
        flagstone_use($store);
        foreach ([2 => 128, 4 => 4, 5 => 32, 6 => 32, 8 => 32, 9 => 16, 10 => 64] as $section => $entry) {
            [$offset, $size] = array_values(unpack('P2', $bytes, 64 + $section * 24));
            for ($at = $offset; $at + 4 <= $offset + $size; $at += 4) {
                $damaged = substr_replace($bytes, "\xfe\xff\xff\x7f", $at, 4);
                // Sealed again, as by a compiler that is not sound.
                $damaged = substr_replace($damaged, strrev(hash('xxh3', substr($damaged, $offset, $size), true)), 64 + $section * 24 + 16, 8);
                $damaged = substr_replace($damaged, strrev(hash('xxh3', substr_replace(substr($damaged, 0, 512), str_repeat("\0", 8), 40, 8), true)), 40, 8);
                $file = fopen('php://memory', 'w+b');
                fwrite($file, $damaged);
                rewind($file);
                $process->setStaticPropertyValue('evaluator', new Evaluator(Snapshot::read($file, strlen($damaged)), [], false));
                foreach ([null, 1, 2, 'x', 77] as $company) {
                    feature_explain('portal', $company, ['plan' => 'a']);
                    feature_value('portal', $company);
                    feature_enabled('portal', $company);
                }
                feature_explain('child');
                feature_all(1);
                feature_needs('portal');
                feature_possible('portal');
            }
        }
        flagstone_refresh();
    }

    public function test_what_a_hostile_snapshot_says_is_bounded_rules_comparisons_operands_probes_and_the_parts_of_a_value(): void
    {
        $rule = static fn (int $n): array => ['when' => ['any' => array_map(static fn (int $of): array => ['attribute' => 'plan', 'eq' => "p$n-$of"], [1, 2])]];
        $store = self::store(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 50], 'rules' => [$rule(1), $rule(2)],
            'companies' => ['allow' => ['x', 'y', 1, 10_000]], 'schedule' => [['at' => '2026-12-01T08:00:00Z', 'percentage' => 50], ['at' => '2027-12-01T08:00:00Z', 'percentage' => 60]],
            'variants' => ['v' => ['weight' => 100, 'value' => [[1, 2], [3, 4], [[5], [6]]]]]]]);
        $good = file_get_contents(self::snapshot($store));
        $place = static fn (int $section, int $at): int => unpack('P', $good, 64 + $section * 24)[1] + $at;
        $process = new ReflectionClass(Process::class);
        flagstone_use($store);
        // With these numbers, 4 bytes each, at these offsets.
        $with = static function (array $numbers) use ($good, $process): void {
            $bytes = $good;
            foreach ($numbers as $at => $number) {
                $bytes = substr_replace($bytes, pack('V', $number), $at, 4);
            }
            for ($section = 0; $section < 14; ++$section) {
                [$offset, $size] = array_values(unpack('P2', $bytes, 64 + $section * 24));
                $bytes = substr_replace($bytes, strrev(hash('xxh3', substr($bytes, $offset, $size), true)), 64 + $section * 24 + 16, 8);
            }
            $bytes = substr_replace($bytes, strrev(hash('xxh3', substr_replace(substr($bytes, 0, 512), str_repeat("\0", 8), 40, 8), true)), 40, 8);
            $file = fopen('php://memory', 'w+b');
            fwrite($file, $bytes);
            rewind($file);
            $process->setStaticPropertyValue('evaluator', new Evaluator(Snapshot::read($file, strlen($bytes)), [], false));
        };
        $evaluator = static fn (): Evaluator => $process->getStaticPropertyValue('evaluator');
        $problem = static function (callable $ask): string {
            try {
                $ask();
            } catch (LoadError $problem) {
                return $problem->getMessage();
            }

            return 'none';
        };
        $with([]);
        self::assertSame([[1, 2], [3, 4], [[5], [6]]], feature_value('portal', 'x'));
        $flag = $place(2, 0);
        foreach ([[12, 192, "key's length"], [44, 65, "requires' count"], [52, 2, "needs' count"], [60, 1001, "rules' count"]] as [$at, $number, $field]) {
            // The key's length has two bytes, and shape and bits after it.
            $with([$flag + $at => $at === 12 ? $number | unpack('v', $good, $flag + 14)[1] << 16 : $number]);
            self::assertSame("flags: $field: found $number, ", substr($problem(static fn () => $evaluator()->snapshot->flag(0)), 0, strlen("flags: $field: found $number, ")));
            self::assertSame(false, feature_enabled('portal', 'x'), $field);
        }
        $with([$place(5, 12) => 10_001]);
        self::assertSame("flags: rules' tests: found 10001, ", substr($problem(static fn () => $evaluator()->snapshot->rules(0)), 0, 34));
        $with([$place(6, 20) => 1_025]);
        self::assertSame("tests: operand's length: found 1025, ", substr($problem(static fn () => $evaluator()->snapshot->rules(0)), 0, 37));

        // Lists of which each holds the one before twice: 2^32 parts, in 24 cells.
        $cells = [];
        $count = intdiv(unpack('P2', $good, 64 + 9 * 24)[2], 16);
        for ($cell = 0; $cell < $count; ++$cell) {
            $cells += [$place(9, 16 * $cell) => 5, $place(9, 16 * $cell + 4) => 2, $place(9, 16 * $cell + 8) => 0, $place(9, 16 * $cell + 12) => 0];
        }
        $with($cells);
        self::assertSame('default', feature_value('portal', 'x', [], 'default'));
        self::assertSame('cells: found a part in two places', substr($problem(static fn () => $evaluator()->snapshot->value(0)), 0, 33));
        // A question looked at every slot of a table that was full, for a minute.
        foreach ([4, 56] as $at) {
            $with([$place(10, $at) => 10_001]);
            self::assertSame('lists: longest probe: found 10001, ', substr($problem(static fn () => $evaluator()->snapshot->listed(0)), 0, 35));
            self::assertSame(false, feature_enabled('portal', 'y'), 'listed');
        }

        $steps = static fn (int $now): ?int => $evaluator()->snapshot->step($evaluator()->snapshot->flag(0), $now * 1_000_000);
        self::assertSame([null, 50_000, 50_000, 60_000], [$steps(1796111999), $steps(1796112000), $steps(1827647999), $steps(1827648000)]);
        flagstone_refresh();
    }

    public function test_comparisons_stay_unpacked_up_to_a_number_not_for_every_flag_that_was_asked(): void
    {
        $tests = array_map(static fn (int $n): array => ['attribute' => 'plan', 'eq' => "plan-$n"], range(1, 4000));
        $flags = [];
        for ($n = 0; $n < 12; ++$n) {
            $flags["flag_$n"] = ['enabled' => true, 'rollout' => ['percentage' => 0], 'rules' => [['when' => ['any' => $tests]]]];
        }
        $store = self::store($flags);
        flagstone_use($store);
        $kept = new ReflectionProperty(Snapshot::class, 'keptTests');
        for ($n = 0; $n < 12; ++$n) {
            self::assertSame(true, feature_enabled("flag_$n", 1, ['plan' => 'plan-4000']));
            $snapshot = (new ReflectionClass(Process::class))->getStaticPropertyValue('evaluator')->snapshot;
            self::assertSame(true, $kept->getValue($snapshot) <= 20_000, "flag $n");
            self::assertSame($kept->getValue($snapshot), 4000 * count((new ReflectionProperty(Snapshot::class, 'rules'))->getValue($snapshot)));
        }
    }

    public function test_a_later_minor_version_with_a_section_more_is_answered_from(): void
    {
        $store = self::store(['portal' => ['enabled' => true, 'companies' => ['allow' => ['x']], 'rollout' => ['percentage' => 0]]]);
        $longer = static function (int $minor) use ($store): array {
            $bytes = file_get_contents(self::snapshot($store));
            $bytes = str_pad($bytes, (strlen($bytes) + 63) & ~63, "\0") . str_repeat('7', 40);
            $bytes = substr_replace($bytes, pack('vVP', $minor, 512, strlen($bytes)), 10, 14);
            $bytes = substr_replace($bytes, pack('PP', strlen($bytes) - 40, 40), 424, 16);
            $bytes = substr_replace($bytes, strrev(hash('xxh3', substr_replace(substr($bytes, 0, 512), str_repeat("\0", 8), 40, 8), true)), 40, 8);
            $file = fopen('php://memory', 'w+b');
            fwrite($file, $bytes);
            rewind($file);

            return [$file, strlen($bytes)];
        };
        $process = new ReflectionClass(Process::class);
        // The process looked for another snapshot where more than a second passed before the question.
        $process->setStaticPropertyValue('checkedAt', hrtime(true) + 3_600_000_000_000);
        $process->setStaticPropertyValue('evaluator', new Evaluator(Snapshot::read(...$longer(2)), [], false));
        self::assertSame([true, false], [feature_enabled('portal', 'x'), feature_enabled('portal', 'y')]);
        foreach ([0, 1] as $minor) {
            try {
                Snapshot::read(...$longer($minor));
                self::fail("bytes that 1.$minor knows nothing of");
            } catch (LoadError $problem) {
                self::assertSame(true, str_contains($problem->getMessage(), 'header[0].file_size'), $problem->getMessage());
            }
        }
        flagstone_refresh();
    }

    /** "it takes 9875840 bytes of memory, and memory_limit leaves 10485760" left out what the request itself needs. */
    public function test_a_snapshot_that_memory_limit_has_no_room_for_is_refused_instead_of_ending_the_process(): void
    {
        $companies = range(1, 9_000_000, 30);
        $store = self::store(['portal' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => $companies]], 'other' => true]);
        $ask = "flagstone_use('$store'); echo feature_enabled('portal', 31) ? 'on' : 'off', ' ', flagstone_status()['source'], ' ', flagstone_status()['last_error'];";
        self::assertSame('on current', self::php($ask, ['memory_limit' => '32M']));
        $bytes = null;
        for ($kibibytes = 4096; $kibibytes < 16384; $kibibytes += 256) {
            $said = self::php($ask, ['memory_limit' => "{$kibibytes}K"]);
            if ($said === 'on current') {
                break;
            }
            self::assertSame(1, preg_match('/^off none generation 1 was refused: .* it takes (\d+) bytes of memory, and memory_limit leaves (\d+); raise memory_limit$/', $said, $bytes), $said);
            self::assertSame(true, (int) $bytes[1] > (int) $bytes[2], $said);
        }
        self::assertSame(['on current', true], [$said, $bytes !== null], 'with enough it is read');
    }
}
