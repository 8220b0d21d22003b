<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Conditions of rules: programs of comparisons whose jumps only go forward.
 *
 * @internal
 * @phpstan-import-type Test from Compiled
 */
final class Conditions
{
    public const NEVER = 0;
    public const IN = 1;
    public const NOT_IN = 2;
    public const EQ = 3;
    public const NE = 4;
    public const LT = 5;
    public const LTE = 6;
    public const GT = 7;
    public const GTE = 8;
    public const STARTS_WITH = 9;
    public const ENDS_WITH = 10;
    public const CONTAINS = 11;
    public const EXISTS = 12;
    public const BEFORE = 13;
    public const AFTER = 14;
    public const SEMVER_EQ = 15;
    public const SEMVER_LT = 16;
    public const SEMVER_LTE = 17;
    public const SEMVER_GT = 18;
    public const SEMVER_GTE = 19;
    public const ALWAYS = 20;

    /** Kinds of a test's operand. */
    public const INT = 1;
    public const FLOAT = 2;
    public const TEXT = 3;
    public const BOOL = 4;
    public const SET = 5;

    /** Test attributes that are not in the context. */
    public const COMPANY = 0xFFFF_FFFF;
    public const NOW = 0xFFFF_FFFE;

    public const HOLDS = 0xFFFF_FFFF;

    /**
     * True if the condition is true. Takes at most one comparison per test.
     *
     * @param list<Test> $tests
     * @param array<array-key, mixed> $context
     */
    public static function hold(Compiled $snapshot, array $tests, int|string|null $company, array $context, int $now): bool
    {
        if ($tests === []) {
            return true;
        }
        $at = 0;
        while (isset($tests[$at])) {
            $test = $tests[$at];
            $outcome = self::outcome($snapshot, $test, self::value($test, $company, $context, $now));
            if ($outcome === null) {
                return self::walk($snapshot, $tests, $at, $company, $context, $now, null);
            }
            $next = $outcome ? $test[4] : $test[5];
            if ($next <= $at) {
                return false;
            }
            $at = $next;
        }

        return $at === self::HOLDS;
    }

    /**
     * Calls `$found` with the tests that are unknown although their attribute is present; returns true if the condition is true.
     *
     * @param list<Test> $tests
     * @param array<array-key, mixed> $context
     * @param \Closure(Test): void $found
     */
    public static function unknown(Compiled $snapshot, array $tests, int|string|null $company, array $context, int $now, \Closure $found): bool
    {
        return $tests === [] || self::walk($snapshot, $tests, 0, $company, $context, $now, $found);
    }

    /**
     * The expected type of a test's attribute: "a number".
     *
     * @param Test $test
     */
    public static function expected(array $test): string
    {
        [$op, $kind,,,,, $operand, $b] = $test;
        if ($op === self::IN || $op === self::NOT_IN) {
            $kinds = ['a number' => $operand, 'a string' => $b & 0xFFFF_FFFF, 'a bool' => $b >> 32];
            $names = \array_keys(\array_filter($kinds));

            return match (\count($names)) {
                0 => 'a number, a string or a bool',
                1 => $names[0],
                default => 'a value of the list, which mixes kinds',
            };
        }

        return match (true) {
            $op === self::BEFORE || $op === self::AFTER => 'a time',
            $op >= self::SEMVER_EQ && $op <= self::SEMVER_GTE => 'a version',
            $kind === self::INT || $kind === self::FLOAT => 'a number',
            $kind === self::TEXT => 'a string',
            $kind === self::BOOL && ($op === self::EQ || $op === self::NE) => 'a bool',
            default => 'a number, a string or a bool',
        };
    }

    /**
     * Visits every test that is reached from `$start` in one pass; an unknown one goes both ways. True if every way ends in
     * "holds": each comparison occurs once in its program, so this is exactly Kleene's logic.
     *
     * @param list<Test> $tests
     * @param array<array-key, mixed> $context
     * @param ?\Closure(Test): void $found same as in `unknown`; without it the first way that fails ends the walk
     */
    private static function walk(Compiled $snapshot, array $tests, int $start, int|string|null $company, array $context, int $now, ?\Closure $found): bool
    {
        $reached = [$start => true];
        $holds = true;
        for ($at = $start, $count = \count($tests); $at < $count; ++$at) {
            if (!isset($reached[$at])) {
                continue;
            }
            $test = $tests[$at];
            $value = self::value($test, $company, $context, $now);
            $outcome = self::outcome($snapshot, $test, $value);
            if ($outcome === null && $value !== null && $found !== null) {
                $found($test);
            }
            foreach ($outcome === null ? [$test[4], $test[5]] : [$outcome ? $test[4] : $test[5]] as $next) {
                if ($next > $at && $next < $count) {
                    $reached[$next] = true;
                } elseif ($next !== self::HOLDS) {
                    $holds = false;
                }
            }
            if (!$holds && $found === null) {
                return false;
            }
        }

        return $holds;
    }

    /**
     * @param Test $test
     * @param array<array-key, mixed> $context
     */
    private static function value(array $test, int|string|null $company, array $context, int $now): mixed
    {
        return match ($test[2]) {
            self::COMPANY => $company,
            self::NOW => $now,
            default => $context[$test[3]] ?? null,
        };
    }

    /**
     * The test's result; null if it is unknown: the value is missing, or does not compare with the operand.
     *
     * @param Test $test
     */
    private static function outcome(Compiled $snapshot, array $test, mixed $value): ?bool
    {
        [$op, $kind, $attribute,,,, $operand] = $test;
        if ($op === self::NEVER || $op === self::ALWAYS) {
            return $op === self::ALWAYS;
        }
        $exists = $operand !== 0 && $operand !== false;
        if ($value === null) {
            return $op === self::EXISTS ? !$exists : null;
        }
        if (!\is_scalar($value) || (\is_float($value) && \is_nan($value))) {
            return null;
        }
        switch ($op) {
            case self::EXISTS:
                return $exists;
            case self::IN:
                return self::inSet($snapshot, $test, $value);
            case self::NOT_IN:
                $listed = self::inSet($snapshot, $test, $value);

                return $listed === null ? null : !$listed;
            case self::EQ:
            case self::NE:
                $order = self::compare($value, $operand);

                return $order === null ? null : ($order === 0) === ($op === self::EQ);
            case self::LT:
            case self::LTE:
            case self::GT:
            case self::GTE:
                return \is_bool($value) ? null : self::satisfies($op, self::compare($value, $operand));
            case self::BEFORE:
            case self::AFTER:
                $instant = self::instant($attribute, $value);

                return $instant === null ? null : ($op === self::BEFORE ? $instant < $operand : $instant > $operand);
        }
        if (!\is_string($value) || $kind !== self::TEXT || !\is_string($operand)) {
            return null;
        }

        return match ($op) {
            self::STARTS_WITH => \str_starts_with($value, $operand),
            self::ENDS_WITH => \str_ends_with($value, $operand),
            self::CONTAINS => Search::contains($value, $operand),
            default => $op >= self::SEMVER_EQ && $op <= self::SEMVER_GTE ? self::satisfies($op, Semver::compare($value, $operand)) : null,
        };
    }

    private static function satisfies(int $op, ?int $order): ?bool
    {
        return $order === null ? null : match ($op) {
            self::SEMVER_EQ => $order === 0,
            self::LT, self::SEMVER_LT => $order < 0,
            self::LTE, self::SEMVER_LTE => $order <= 0,
            self::GT, self::SEMVER_GT => $order > 0,
            self::GTE, self::SEMVER_GTE => $order >= 0,
            default => false,
        };
    }

    /** -1, 0 or 1; null if the two cannot be compared. */
    private static function compare(mixed $a, mixed $b): ?int
    {
        if (\is_string($a)) {
            return \is_string($b) ? \strcmp($a, $b) <=> 0 : null;
        }
        if (\is_bool($a)) {
            return \is_bool($b) ? $a <=> $b : null;
        }

        return (\is_int($a) || \is_float($a)) && (\is_int($b) || \is_float($b)) ? Number::compare($a, $b) : null;
    }

    /**
     * True if the set holds the value, false if the value compares with all of the set and equals none; else null, as for an empty set.
     * A company's key has one kind, so in a set with keys of its kind those of the other are not it.
     *
     * @param Test $test
     */
    private static function inSet(Compiled $snapshot, array $test, bool|int|float|string $value): ?bool
    {
        [, $kind, $attribute,,,, $numbers, $b, $first] = $test;
        if ($kind !== self::SET || !\is_int($numbers)) {
            return null;
        }
        [$texts, $bools] = [$b & 0xFFFF_FFFF, $b >> 32];
        if (\is_bool($value)) {
            $listed = ($bools & ($value ? 2 : 1)) !== 0;

            return $listed || ($bools !== 0 && ($numbers | $texts) === 0) ? $listed : null;
        }
        if (\is_float($value) && \is_nan($value)) {
            return null;
        }
        $text = \is_string($value);
        [$count, $others] = $text ? [$texts, $numbers | $bools] : [$numbers, $texts | $bools];
        $low = $text ? $first + $numbers : $first;
        $high = $low + $count - 1;
        while ($low <= $high) {
            $middle = ($low + $high) >> 1;
            $order = self::compare($snapshot->value($middle), $value);
            if ($order === 0) {
                return true;
            }
            if ($order === null || $order < 0) {
                $low = $middle + 1;
            } else {
                $high = $middle - 1;
            }
        }

        return $count !== 0 && ($others === 0 || $attribute === self::COMPANY) ? false : null;
    }

    /** Microseconds since 1970: `now` is that already; other values are RFC 3339, or Unix seconds. */
    private static function instant(int $attribute, bool|int|float|string $value): ?int
    {
        if (\is_int($value) && $attribute === self::NOW) {
            return $value;
        }
        if (\is_string($value)) {
            return Time::parse($value);
        }

        return \is_bool($value) ? null : Time::ofSeconds($value);
    }
}
