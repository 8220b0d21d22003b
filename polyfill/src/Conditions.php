<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Rules' conditions: programs of comparisons whose jumps only go forward.
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
    public const FLOAT = 2;
    public const TEXT = 3;
    public const BOOL = 4;
    public const SET = 5;

    /** Attributes that are no attributes of the context. */
    public const COMPANY = 0xFFFF_FFFF;
    public const NOW = 0xFFFF_FFFE;

    public const HOLDS = 0xFFFF_FFFF;

    /**
     * Whether the condition holds. At most as many steps as there are tests.
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
            $value = match ($test[2]) {
                self::COMPANY => $company,
                self::NOW => $now,
                default => $context[$test[3]] ?? null,
            };
            $next = self::matches($snapshot, $test, $value) ? $test[4] : $test[5];
            if ($next <= $at) {
                return false;
            }
            $at = $next;
        }

        return $at === self::HOLDS;
    }

    /** @param Test $test */
    private static function matches(Compiled $snapshot, array $test, mixed $value): bool
    {
        [$op, $kind, $attribute,,,, $operand] = $test;
        if ($op === self::NEVER || $op === self::ALWAYS) {
            return $op === self::ALWAYS;
        }
        if ($op === self::EXISTS) {
            return \is_scalar($value) === ($operand !== 0 && $operand !== false);
        }
        if (!\is_scalar($value)) {
            return false;
        }
        switch ($op) {
            case self::IN:
                return self::inSet($snapshot, $test, $value) === true;
            case self::NOT_IN:
                return self::inSet($snapshot, $test, $value) === false;
            case self::EQ:
                return self::compare($value, $operand) === 0;
            case self::NE:
                return (self::compare($value, $operand) ?? 0) !== 0;
            case self::LT:
            case self::LTE:
            case self::GT:
            case self::GTE:
                return !\is_bool($value) && self::satisfies($op, self::compare($value, $operand));
            case self::STARTS_WITH:
                return \is_string($value) && $kind === self::TEXT && \is_string($operand) && \str_starts_with($value, $operand);
            case self::ENDS_WITH:
                return \is_string($value) && $kind === self::TEXT && \is_string($operand) && \str_ends_with($value, $operand);
            case self::CONTAINS:
                return \is_string($value) && $kind === self::TEXT && \is_string($operand) && \str_contains($value, $operand);
            case self::BEFORE:
            case self::AFTER:
                $instant = self::instant($attribute, $value);

                return $instant !== null && ($op === self::BEFORE ? $instant < $operand : $instant > $operand);
        }
        if ($op < self::SEMVER_EQ || $op > self::SEMVER_GTE || !\is_string($value) || $kind !== self::TEXT || !\is_string($operand)) {
            return false;
        }

        return self::satisfies($op, Semver::compare($value, $operand));
    }

    private static function satisfies(int $op, ?int $order): bool
    {
        return $order !== null && match ($op) {
            self::SEMVER_EQ => $order === 0,
            self::LT, self::SEMVER_LT => $order < 0,
            self::LTE, self::SEMVER_LTE => $order <= 0,
            self::GT, self::SEMVER_GT => $order > 0,
            self::GTE, self::SEMVER_GTE => $order >= 0,
            default => false,
        };
    }

    /** -1, 0 or 1; null where the two cannot be compared. */
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
     * Whether the set holds the value; null if it has nothing of its kind to compare with, or the value is NaN.
     *
     * @param Test $test
     */
    private static function inSet(Compiled $snapshot, array $test, bool|int|float|string $value): ?bool
    {
        [, $kind,,,,, $numbers, $b, $first] = $test;
        if ($kind !== self::SET || !\is_int($numbers)) {
            return null;
        }
        if (\is_bool($value)) {
            $bools = ($b >> 32) & 0xFFFF_FFFF;

            return $bools === 0 ? null : ($bools & ($value ? 2 : 1)) !== 0;
        }
        $text = \is_string($value);
        $count = $text ? $b & 0xFFFF_FFFF : $numbers;
        if ($count === 0 || (\is_float($value) && \is_nan($value))) {
            return null;
        }
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

        return false;
    }

    /** Microseconds since 1970: `now` is that already; else RFC 3339, or Unix seconds. */
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
