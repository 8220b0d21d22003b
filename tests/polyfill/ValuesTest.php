<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\Tests;

use ArrayObject;
use Flagstone\Polyfill\Bucket;
use Flagstone\Polyfill\Company;
use Flagstone\Polyfill\Number;
use Flagstone\Polyfill\Search;
use Flagstone\Polyfill\Semver;
use Flagstone\Polyfill\Status;
use Flagstone\Polyfill\Time;
use ReflectionFunction;
use ReflectionParameter;
use TypeError;

/** How keys, numbers, versions and times are read and compared. */
final class ValuesTest extends TestCase
{
    public function test_every_key_falls_in_the_bucket_of_the_vectors(): void
    {
        $vectors = json_decode(file_get_contents(self::ROOT . '/tests/vectors/buckets.json'), true);
        self::assertSame(true, count($vectors) > 40);
        foreach ($vectors as $vector) {
            $key = is_string($vector['key']) ? Company::normal($vector['key']) : $vector['key'];
            self::assertSame($vector['bucket'], Bucket::of($key, Bucket::seed($vector['salt'])), "{$vector['salt']} {$vector['key']}");
            self::assertSame($vector['crc32_percent'] * 1000, Bucket::crc32($key), (string) $vector['key']);
        }
    }

    public function test_every_function_is_there_and_its_signature_is_the_stub_s_but_for_the_company_s_type(): void
    {
        $signature = static function (string $name, string $parameters, string $return): string {
            return "$name(" . preg_replace('/\s+/', ' ', $parameters) . "): $return";
        };
        preg_match_all('/^function (\w+)\((.*)\): (\S+) \{\}$/m', file_get_contents(self::ROOT . '/php-stubs/flagstone.stub.php'), $stubs, PREG_SET_ORDER);
        self::assertSame(17, count($stubs));
        foreach ($stubs as [, $name, $parameters, $return]) {
            $function = new ReflectionFunction($name);
            $found = array_map(static function (ReflectionParameter $parameter): string {
                $text = $parameter->getName() === 'company' ? 'int|string|null' : (string) $parameter->getType();
                $text .= ' $' . $parameter->getName();
                if ($parameter->isDefaultValueAvailable()) {
                    $value = $parameter->getDefaultValue();
                    $text .= ' = ' . ($value === [] ? '[]' : strtolower(var_export($value, true)));
                }

                return $text;
            }, $function->getParameters());
            self::assertSame($signature($name, $parameters, $return), $signature($name, implode(', ', $found), (string) $function->getReturnType()));
        }
    }

    public function test_the_version_is_the_workspace_s(): void
    {
        preg_match('/^version = "(.*)"$/m', file_get_contents(self::ROOT . '/Cargo.toml'), $found);
        self::assertSame($found[1], Status::VERSION);
    }

    public function test_an_int_times_the_golden_ratio_wraps_at_64_bits(): void
    {
        // Computed with integers of any size.
        foreach ([[1, 32, 0x9E3779B9], [-1, 32, 0x61C88646], [PHP_INT_MAX, 8, 0xE1], [PHP_INT_MIN, 4, 8], [0, 16, 0], [42, 16, 0xF519], [0x1_FFFF_FFFF, 32, 0x605D7E70], [3, 0, 0]] as [$key, $bits, $expected]) {
            self::assertSame($expected, Number::fibonacci($key, $bits), "$key, $bits bits");
        }
    }

    public function test_a_float_is_a_company_only_where_it_is_exactly_one_int(): void
    {
        foreach ([15.0 => 15, '9007199254740991' => 2 ** 53 - 1] as $float => $int) {
            self::assertSame([$int, -$int], [Company::key((float) $float, 'f', 1, 'c'), Company::key(-(float) $float, 'f', 1, 'c')], "$float");
        }
        foreach ([15.5, 2.0 ** 53, -(2.0 ** 53), 1e18, 2.0 ** 63, INF, NAN] as $float) {
            try {
                Company::key($float, 'f', 1, 'c');
                self::fail("$float");
            } catch (TypeError $error) {
                self::assertSame('f(): Argument #1 ($c) must be of type string|int|null, float given', $error->getMessage(), "$float");
            }
        }
    }

    public function test_an_int_and_a_float_compare_by_value_without_rounding(): void
    {
        foreach ([[1, 1.0, 0], [1, 1.5, -1], [-1, -1.5, 1], [0, -0.0, 0], [2 ** 53 + 1, 2.0 ** 53, 1], [PHP_INT_MAX, 2.0 ** 63, -1],
            [PHP_INT_MIN, -(2.0 ** 63), 0], [PHP_INT_MIN, -INF, 1], [0, NAN, null]] as [$int, $float, $expected]) {
            self::assertSame($expected, Number::compare($int, $float), "$int and $float");
            self::assertSame($expected === null ? null : -$expected, Number::compare($float, $int), "$float and $int");
        }
    }

    public function test_versions_have_the_precedence_of_the_specification(): void
    {
        $ascending = ['0.0.0', '0.0.1-0', '0.0.1', '0.10.0', '1.0.0-2', '1.0.0-10', '1.0.0--', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0', '2.0.0', '18446744073709551616.0.0'];
        foreach ($ascending as $i => $a) {
            foreach ($ascending as $j => $b) {
                self::assertSame($i <=> $j, Semver::compare($a, $b), "$a and $b");
            }
        }
        foreach (['', '1', '1.2', 'v1.2.3', '01.2.3', '1.2.3-01', '1.2.3+', "1.2.3\n", '1.2.3-ä'] as $text) {
            self::assertSame(null, Semver::compare($text, '1.2.3'), $text);
        }
    }

    public function test_times_are_read_to_the_microsecond_and_nothing_else_is(): void
    {
        foreach (['1970-01-01T00:00:00Z' => 0, '1969-12-31T23:59:59Z' => -1_000_000, '2000-02-29T12:00:00Z' => 951_825_600_000_000, '2026-12-01T09:30:00+01:30' => 1_796_112_000_000_000,
            '0000-01-01T00:00:00Z' => -62_167_219_200_000_000, '1970-01-01T00:00:00.123456789Z' => 123_456] as $text => $micros) {
            self::assertSame($micros, Time::parse($text), $text);
        }
        foreach (['', '2026-12-01', '2026-02-29T08:00:00Z', '1900-02-29T08:00:00Z', '2026-12-01T24:00:00Z', "2026-12-01T08:00:00Z\n", '2026-12-01T08:00:00.1234567890Z',
            '2026-12-01T08:00:00.Z', '2026-12-01T08:00:00', '2026-12-01 08:00:00Z', '2026-12-01T08:00:00+01-00', '2026-12-01T08:00:00+0100', '2026-12-01T08:00:00+24:00'] as $text) {
            self::assertSame(null, Time::parse($text), $text);
        }
        // Milliseconds and infinite numbers were times.
        foreach ([1_764_500_000_000, 253_402_300_800, -62_167_219_201, PHP_INT_MAX, PHP_INT_MIN, 253_402_300_800.0, -62_167_219_200.5, 1e300, INF, -INF, NAN] as $outside) {
            self::assertSame(null, Time::ofSeconds($outside), (string) $outside);
        }
        self::assertSame([-62_167_219_200_000_000, 253_402_300_799_000_000, 253_402_300_799_500_000],
            [Time::ofSeconds(-62_167_219_200.0), Time::ofSeconds(253_402_300_799), Time::ofSeconds(253_402_300_799.5)]);
        self::assertSame(1_796_112_000_000_000, Time::ofSeconds(1_796_112_000.0000008), "below a microsecond is dropped");
        self::assertSame([0, -1], [Time::ofSeconds(0.0000008), Time::ofSeconds(-0.0000002)]);
    }

    public function test_a_limit_of_regular_expressions_leaves_times_comparable(): void
    {
        // Dates compared with nothing where pcre.backtrack_limit was low.
        $code = 'use Flagstone\\Polyfill\\{Attributes, Time}; echo Time::parse("2026-12-01T09:30:00.5+01:30"), " ", Attributes::comparable(new DateTime("@7.25"));';
        self::assertSame('1796112000500000 1970-01-01T00:00:07.250000Z', self::php($code, ['pcre.backtrack_limit' => '0']));
    }

    public function test_a_company_that_is_an_object_a_bool_or_an_array_is_a_typeerror_in_the_extension_s_words(): void
    {
        foreach ([[new ArrayObject(), 'ArrayObject given; pass its key, such as $company->getKey()'], [true, 'bool given'], [[], 'array given']] as [$company, $words]) {
            try {
                feature_enabled('portal', $company);
                self::fail('nothing was thrown');
            } catch (TypeError $error) {
                self::assertSame('feature_enabled(): Argument #2 ($company) must be of type string|int|null, ' . $words, $error->getMessage());
            }
        }
    }

    public function test_a_text_is_found_in_time_that_does_not_grow_with_what_it_is_searched_for(): void
    {
        mt_srand(7);
        $text = fn (int $most) => implode('', array_map(fn () => 'ab'[mt_rand(0, 1)], range(1, mt_rand(1, $most))));
        for ($i = 0; $i < 5000; ++$i) {
            [$whole, $part] = [$text(40), $text(8)];
            self::assertSame(str_contains($whole, $part), Search::linear($whole, $part), "$part in $whole");
        }
        // A tenant's attribute of a megabyte that repeats itself took two seconds.
        $spent = function (callable $search): float {
            $before = getrusage();
            $search();
            $after = getrusage();

            return $after['ru_utime.tv_sec'] - $before['ru_utime.tv_sec'] + ($after['ru_utime.tv_usec'] - $before['ru_utime.tv_usec']) / 1e6;
        };
        $part = str_repeat('a', 500) . 'b' . str_repeat('a', 500);
        $flag = ['enabled' => true, 'rules' => [['when' => ['attribute' => 'note', 'contains' => $part]]], 'rollout' => ['percentage' => 0]];
        flagstone_use(self::store(['portal' => $flag]));
        $long = str_repeat('a', 1_000_000);
        self::assertSame([false, true, true], [feature_enabled('portal', 1, ['note' => $long]), feature_enabled('portal', 1, ['note' => "$long$part"]), feature_enabled('portal', 1, ['note' => $part])]);
        $own = $spent(fn () => feature_enabled('portal', 1, ['note' => $long]));
        $php = $spent(fn () => str_contains($long, $part));
        self::assertSame(true, $own * 2 < $php, "$own against $php seconds");
    }
}
