<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Evaluates flags: the order of the steps that decide.
 *
 * @internal
 * @phpstan-import-type FlagRecord from Compiled
 * @phpstan-import-type Variant from Compiled
 */
final class Evaluator
{
    public const FULL = 100_000;

    /** Numbers of docs/snapshot-format.md. */
    public const SHAPE_GENERAL = 0;
    public const SHAPE_OFF = 1;
    public const SHAPE_ON = 2;
    public const SHAPE_COMPANY_ROLLOUT = 3;
    public const ENABLED = 1;
    public const KEEP = 2;
    public const CRC32 = 4;

    private readonly bool $switched;

    /** @var array<int, true> by the number of the flag's current key: it is killed under all of its keys */
    private array $killed = [];

    /** @param list<string> $killed keys of flags */
    public function __construct(
        public readonly Compiled $snapshot,
        array $killed,
        private readonly bool $stopped,
        private readonly bool $killsUnknown = false,
    ) {
        foreach ($killed as $key) {
            $flag = $snapshot->find($key);
            if ($flag !== null) {
                $this->killed[self::current($flag, $snapshot->flag($flag))] = true;
            }
        }
        $this->switched = $stopped || $killsUnknown || $this->killed !== [];
    }

    /**
     * True if the flag is on: the answer of `evaluate`, by the shortest way.
     *
     * @param array<array-key, mixed> $context
     */
    public function enabled(int $flag, int|string|null $company, array $context, int $now): bool
    {
        if (!$this->switched) {
            $record = $this->snapshot->flag($flag);
            switch ($record['shape']) {
                case self::SHAPE_OFF:
                    return false;
                case self::SHAPE_ON:
                    return true;
                case self::SHAPE_COMPANY_ROLLOUT:
                    if (\is_int($company)) {
                        return Bucket::of($company, $record['seed']) < $record['threshold'];
                    }
            }
        }

        return $this->evaluate($flag, $company, $context, $now)->on;
    }

    /** @param array<array-key, mixed> $context */
    public function evaluate(int $flag, int|string|null $company, array $context, int $now): Answer
    {
        $record = $this->snapshot->flag($flag);
        $reason = $this->switchedOff($flag, $record);
        if ($reason !== null) {
            return new Answer(false, $reason);
        }
        $context = $this->resolved($flag, $record, $context);
        foreach ($this->snapshot->links($record['requires'], $record['requiresCount']) as $required) {
            $other = $this->snapshot->flag($required);
            if ($this->switchedOff($required, $other) !== null || !$this->decide($required, $other, $company, $context, $now)->on) {
                return new Answer(false, 'prerequisite', blocker: $required);
            }
        }

        return $this->decide($flag, $record, $company, $context, $now);
    }

    /** True if the flag could be on for any company at that instant. */
    public function possible(int $flag, int $now): bool
    {
        $record = $this->snapshot->flag($flag);
        if (!$this->open($flag, $record, $now)) {
            return false;
        }
        foreach ($this->snapshot->links($record['requires'], $record['requiresCount']) as $required) {
            if (!$this->open($required, $this->snapshot->flag($required), $now)) {
                return false;
            }
        }

        return true;
    }

    /**
     * The variant shown by a flag that is on: [name, upper, cell]; null if there are none, or no key to draw by.
     *
     * @param array<array-key, mixed> $context
     * @return ?Variant
     */
    public function variant(int $flag, int|string|null $company, array $context): ?array
    {
        $record = $this->snapshot->flag($flag);
        if ($record['variantsCount'] === 0) {
            return null;
        }
        $key = $this->rolloutKey($record, $company, $this->resolved($flag, $record, $context));
        if ($key === null) {
            return null;
        }
        $bucket = Bucket::of($key, $record['variantSeed']);
        foreach ($this->snapshot->variants($record) as $variant) {
            if ($variant[1] > $bucket) {
                return $variant;
            }
        }

        return null;
    }

    /**
     * The flag's variant of that name.
     *
     * @return ?Variant
     */
    public function variantNamed(int $flag, string $name): ?array
    {
        foreach ($this->snapshot->variants($this->snapshot->flag($flag)) as $variant) {
            if ($variant[0] === $name) {
                return $variant;
            }
        }

        return null;
    }

    /**
     * @return list<string> attributes that the flag, or one that it requires, can read and the question lacks
     * @param array<array-key, mixed> $context
     */
    public function missing(int $flag, array $context): array
    {
        $lacks = static fn (string $name): bool => ($context[$name] ?? null) === null;

        return \array_values(\array_filter($this->snapshot->needs($flag), $lacks));
    }

    /**
     * The attributes that made conditions unknown, or that the rollout's `by` could not hash, on the way to the answer: those
     * that are present, not the missing ones.
     *
     * @param array<array-key, mixed> $context
     * @return array<array-key, string> the expected type, by attribute
     */
    public function unknown(int $flag, int|string|null $company, array $context, int $now): array
    {
        $record = $this->snapshot->flag($flag);
        $unknown = [];
        if ($this->switchedOff($flag, $record) !== null) {
            return $unknown;
        }
        $context = $this->resolved($flag, $record, $context);
        foreach ($this->snapshot->links($record['requires'], $record['requiresCount']) as $required) {
            $other = $this->snapshot->flag($required);
            if ($this->switchedOff($required, $other) !== null) {
                return $unknown;
            }
            $this->unknownOf($required, $other, $company, $context, $now, $unknown);
            if (!$this->decide($required, $other, $company, $context, $now)->on) {
                return $unknown;
            }
        }
        $this->unknownOf($flag, $record, $company, $context, $now, $unknown);

        return $unknown;
    }

    /**
     * The attributes that could not be compared in one flag's own steps.
     *
     * @param FlagRecord $record
     * @param array<array-key, mixed> $context
     * @param array<array-key, string> $unknown
     */
    private function unknownOf(int $flag, array $record, int|string|null $company, array $context, int $now, array &$unknown): void
    {
        if ($company !== null && ($this->snapshot->lists($record['deny'], $company) || $this->snapshot->lists($record['allow'], $company))) {
            return;
        }
        $threshold = $this->threshold($record, $now);
        $found = static function (array $test) use (&$unknown): void {
            $unknown[$test[2] === Conditions::COMPANY ? 'company' : $test[3]] ??= Conditions::expected($test);
        };
        foreach ($this->snapshot->rules($flag) as $rule) {
            if (Conditions::unknown($this->snapshot, $rule[1], $company, $context, $now, $found)) {
                $threshold = $rule[2];
                break;
            }
        }
        if (($threshold < self::FULL || $record['variantsCount'] !== 0) && $record['by'] !== Conditions::COMPANY) {
            $name = $this->snapshot->attribute($record['by']);
            $value = $context[$name] ?? null;
            if ($value !== null && !\is_int($value) && !\is_string($value)) {
                $unknown[$name] ??= 'an int or a string';
            }
        }
    }

    /**
     * The context for several questions about the flag, with each object that it can read asked once for its value.
     *
     * @param array<array-key, mixed> $context
     * @return array<array-key, mixed>
     */
    public function resolveContext(int $flag, array $context): array
    {
        if ($context === []) {
            return $context;
        }
        $record = $this->snapshot->flag($flag);

        return $this->switchedOff($flag, $record) === null ? $this->resolved($flag, $record, $context) : $context;
    }

    /**
     * The context, with values in place of the objects that the flag can read.
     *
     * @param FlagRecord $record
     * @param array<array-key, mixed> $context
     * @return array<array-key, mixed>
     */
    private function resolved(int $flag, array $record, array $context): array
    {
        return $context === [] || $record['needsCount'] === 0 ? $context : Attributes::resolve($context, $this->snapshot->needs($flag));
    }

    /**
     * Number of the flag's current key.
     *
     * @param FlagRecord $record
     */
    private static function current(int $flag, array $record): int
    {
        return $record['current'] === 0 ? $flag : $record['current'] - 1;
    }

    /**
     * Reason why the flag is off for every company; null if there is none.
     *
     * @param FlagRecord $record
     */
    private function switchedOff(int $flag, array $record): ?string
    {
        if ($this->killsUnknown || $this->killed !== [] && isset($this->killed[self::current($flag, $record)])) {
            return 'killed';
        }
        if ($this->stopped && ($record['bits'] & self::KEEP) === 0) {
            return 'emergency_stop';
        }

        return ($record['bits'] & self::ENABLED) === 0 ? 'disabled' : null;
    }

    /** @param FlagRecord $record */
    private function open(int $flag, array $record, int $now): bool
    {
        if ($this->switchedOff($flag, $record) !== null) {
            return false;
        }
        if (!$this->snapshot->isEmptyList($record['allow']) || $this->threshold($record, $now) > 0) {
            return true;
        }
        foreach ($this->snapshot->rules($flag) as $rule) {
            if ($rule[2] > 0) {
                return true;
            }
        }

        return false;
    }

    /**
     * @param FlagRecord $record
     * @param array<array-key, mixed> $context
     */
    private function decide(int $flag, array $record, int|string|null $company, array $context, int $now): Answer
    {
        if ($company !== null) {
            if ($this->snapshot->lists($record['deny'], $company)) {
                return new Answer(false, 'denied');
            }
            if ($this->snapshot->lists($record['allow'], $company)) {
                return new Answer(true, 'allowed');
            }
        }
        if ($record['rulesCount'] !== 0) {
            foreach ($this->snapshot->rules($flag) as $number => $rule) {
                if (Conditions::hold($this->snapshot, $rule[1], $company, $context, $now)) {
                    $answer = $this->share($record, $rule[2], $company, $context);
                    $answer->rule = $number;
                    if ($answer->reason !== 'no_company' && $answer->reason !== 'no_key') {
                        $answer->reason = 'rule';
                    }

                    return $answer;
                }
            }
        }

        return $this->share($record, $this->threshold($record, $now), $company, $context);
    }

    /**
     * Decides by a percentage, in thousandths.
     *
     * @param FlagRecord $record
     * @param array<array-key, mixed> $context
     */
    private function share(array $record, int $threshold, int|string|null $company, array $context): Answer
    {
        if ($threshold >= self::FULL) {
            return new Answer(true, 'full', percentage: $threshold);
        }
        $key = $this->rolloutKey($record, $company, $context);
        if ($key === null) {
            $reason = $record['by'] === Conditions::COMPANY ? 'no_company' : 'no_key';

            return new Answer(false, $reason, percentage: $threshold);
        }
        $bucket = ($record['bits'] & self::CRC32) !== 0 ? Bucket::crc32($key) : Bucket::of($key, $record['seed']);
        $on = $bucket < $threshold;

        return new Answer($on, $on ? 'rollout_in' : 'rollout_out', null, $bucket, $threshold);
    }

    /**
     * The key that the rollout hashes: the company, or the attribute that `by` names.
     *
     * @param FlagRecord $record
     * @param array<array-key, mixed> $context
     */
    private function rolloutKey(array $record, int|string|null $company, array $context): int|string|null
    {
        if ($record['by'] === Conditions::COMPANY) {
            return $company;
        }
        $value = $context[$this->snapshot->attribute($record['by'])] ?? null;
        if (\is_string($value)) {
            return Company::normal($value);
        }

        return \is_int($value) ? $value : null;
    }

    /** @param FlagRecord $record */
    private function threshold(array $record, int $now): int
    {
        return $record['stepsCount'] === 0
            ? $record['threshold']
            : $this->snapshot->step($record, $now) ?? $record['threshold'];
    }
}
