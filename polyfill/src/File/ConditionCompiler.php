<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\Company;
use Flagstone\Polyfill\Compiled;
use Flagstone\Polyfill\Conditions as Tests;
use Flagstone\Polyfill\Number;
use Flagstone\Polyfill\Time;

/**
 * Compiles conditions to programs of comparisons whose jumps only go forward. Tests are written from the last to the first, so
 * that the targets of a comparison are known when it is written. Segments are inlined.
 *
 * @internal
 * @phpstan-import-type Test from Compiled
 */
final class ConditionCompiler
{
    private const HOLDS = -1;
    private const FAILS = -2;
    private const OPERATIONS = ['in' => Tests::IN, 'not_in' => Tests::NOT_IN, 'eq' => Tests::EQ, 'ne' => Tests::NE, 'lt' => Tests::LT,
        'lte' => Tests::LTE, 'gt' => Tests::GT, 'gte' => Tests::GTE, 'starts_with' => Tests::STARTS_WITH, 'ends_with' => Tests::ENDS_WITH,
        'contains' => Tests::CONTAINS, 'exists' => Tests::EXISTS, 'before' => Tests::BEFORE, 'after' => Tests::AFTER,
        'semver_eq' => Tests::SEMVER_EQ, 'semver_lt' => Tests::SEMVER_LT, 'semver_lte' => Tests::SEMVER_LTE,
        'semver_gt' => Tests::SEMVER_GT, 'semver_gte' => Tests::SEMVER_GTE];

    /** @var array<string, int> */
    private array $attributes = [];
    /** @var list<Test> tests of the current program, from its end: jumps are numbers from the end */
    private array $backwards = [];

    /** @param array<int|string, \stdClass> $segments */
    public function __construct(private readonly Definitions $compiled, private readonly array $segments)
    {
    }

    /** Number of an attribute. */
    public function attribute(string $name): int
    {
        if ($name === 'company' || $name === 'now') {
            return $name === 'company' ? Tests::COMPANY : Tests::NOW;
        }
        if (!isset($this->attributes[$name])) {
            $this->attributes[$name] = \count($this->compiled->attributes);
            $this->compiled->attributes[] = $name;
        }

        return $this->attributes[$name];
    }

    /** @return array<string, true> attributes that a condition and its segments read */
    public function reads(\stdClass $condition): array
    {
        $attribute = $condition->attribute ?? null;
        if (\is_string($attribute)) {
            return [$attribute => true];
        }
        $names = [];
        foreach (isset($condition->segment) ? [$this->segment($condition)] : NestedConditions::of($condition) as $part) {
            $names += $this->reads($part);
        }

        return $names;
    }

    /**
     * The tests of the condition, beginning with the first to run; empty if it always holds.
     *
     * @return list<Test>
     */
    public function program(\stdClass $condition): array
    {
        $this->backwards = [];
        $start = $this->lower($condition, self::HOLDS, self::FAILS);
        if ($start === self::HOLDS) {
            return [];
        }
        if ($start === self::FAILS) {
            return [[Tests::NEVER, 0, 0, '', Tests::HOLDS - 1, Tests::HOLDS - 1, 0, 0, 0]];
        }
        $target = static fn (int $jump): int => $jump < 0 ? Tests::HOLDS + 1 + $jump : $start - $jump;
        $tests = [];
        for ($at = $start; $at >= 0; --$at) {
            $test = $this->backwards[$at];
            [$test[4], $test[5]] = [$target($test[4]), $target($test[5])];
            $tests[] = $test;
        }

        return $tests;
    }

    private function segment(\stdClass $condition): \stdClass
    {
        $name = $condition->segment ?? null;

        return $this->segments[\is_string($name) ? $name : ''];
    }

    /** Writes the condition so that it goes to `$holds` or to `$fails`; returns its entry. */
    private function lower(\stdClass $condition, int $holds, int $fails): int
    {
        if (isset($condition->all)) {
            foreach (\array_reverse(NestedConditions::of($condition)) as $part) {
                $holds = $this->lower($part, $holds, $fails);
            }

            return $holds;
        }
        if (isset($condition->any)) {
            foreach (\array_reverse(NestedConditions::of($condition)) as $part) {
                $fails = $this->lower($part, $holds, $fails);
            }

            return $fails;
        }
        if (isset($condition->not)) {
            return $this->lower(NestedConditions::of($condition)[0], $fails, $holds);
        }
        if (isset($condition->segment)) {
            return $this->lower($this->segment($condition), $holds, $fails);
        }
        $operator = (string) \array_key_first(\array_intersect_key((array) $condition, self::OPERATIONS));
        $attribute = $condition->attribute ?? null;
        $test = $this->test(\is_string($attribute) ? $attribute : '', self::OPERATIONS[$operator], $condition->{$operator});
        [$test[4], $test[5]] = [$holds, $fails];
        $this->backwards[] = $test;

        return \count($this->backwards) - 1;
    }

    /** @return Test */
    private function test(string $attribute, int $operation, mixed $operand): array
    {
        $name = $attribute === 'company' || $attribute === 'now' ? '' : $attribute;
        if ($attribute === 'company' && \in_array($operation, [Tests::IN, Tests::NOT_IN, Tests::EQ, Tests::NE], true)) {
            $operand = \is_array($operand) ? \array_map(self::company(...), $operand) : self::company($operand);
        }
        $test = [$operation, 0, $this->attribute($attribute), $name, 0, 0, \is_scalar($operand) ? $operand : 0, 0, 0];
        if ($operation === Tests::IN || $operation === Tests::NOT_IN) {
            $test[1] = Tests::SET;
            [$test[6], $test[7], $test[8]] = $this->set(\is_array($operand) ? $operand : []);
        } elseif ($operation === Tests::BEFORE || $operation === Tests::AFTER) {
            [$test[1], $test[6]] = [Tests::INT, \is_string($operand) ? (int) Time::parse($operand) : 0];
        } else {
            $test[1] = match (true) {
                \is_string($operand) => Tests::TEXT,
                \is_bool($operand) => Tests::BOOL,
                \is_float($operand) => Tests::FLOAT,
                default => Tests::INT,
            };
        }

        return $test;
    }

    /** A company's id as questions have it. */
    private static function company(mixed $operand): mixed
    {
        return \is_string($operand) ? Company::normal($operand) ?? $operand : $operand;
    }

    /**
     * The number of numbers; the number of strings, with the booleans; the first cell.
     *
     * @param array<array-key, mixed> $scalars
     * @return array{int, int, int}
     */
    private function set(array $scalars): array
    {
        $texts = \array_values(\array_unique(\array_filter($scalars, is_string(...)), \SORT_STRING));
        \sort($texts, \SORT_STRING);
        $numbers = [];
        foreach ($scalars as $scalar) {
            if (\is_int($scalar) || \is_float($scalar)) {
                $numbers[] = $scalar;
            }
        }
        \usort($numbers, static fn (int|float $a, int|float $b): int => (int) Number::compare($a, $b));
        $different = [];
        foreach ($numbers as $number) {
            if ($different === [] || Number::compare($different[\count($different) - 1], $number) !== 0) {
                $different[] = $number;
            }
        }
        $bools = (\in_array(false, $scalars, true) ? 1 : 0) | (\in_array(true, $scalars, true) ? 2 : 0);
        $first = \count($this->compiled->cells);
        \array_push($this->compiled->cells, ...$different, ...$texts);

        return [\count($different), \count($texts) | $bools << 32, $first];
    }
}
