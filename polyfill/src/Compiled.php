<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Definitions of one environment for the evaluator. Flags, attributes, cells and lists have numbers; records have the layout of
 * docs/snapshot-format.md.
 *
 * @internal
 * @phpstan-type FlagRecord array{shape: int, bits: int, seed: int, threshold: int, by: int, variantSeed: int, requires: int,
 *     requiresCount: int, needs: int, needsCount: int, rulesCount: int, steps: int, stepsCount: int, variants: int,
 *     variantsCount: int, allow: int, deny: int, current: int, ...} `current`: the number of the flag whose former key this is, plus one; 0 if it is none
 * @phpstan-type Test array{int, int, int, string, int, int, bool|int|float|string, int, int}
 * @phpstan-type Rule array{?string, list<Test>, int}
 * @phpstan-type Variant array{string, int, ?int}
 */
interface Compiled
{
    /** Number of keys, former ones included. Numbers of flags are below that, in the order of their keys. */
    public function count(): int;

    /** Number of flags, each counted once whatever its former keys. */
    public function flagCount(): int;

    public function environment(): string;

    /** Number of the flag with that key; null if there is none. */
    public function find(string $key): ?int;

    public function key(int $number): string;

    /**
     * Record of a flag.
     *
     * @return FlagRecord
     */
    public function flag(int $number): array;

    /** @return list<int> flag numbers or attribute numbers */
    public function links(int $first, int $count): array;

    /** Name of a context attribute. */
    public function attribute(int $number): string;

    /** @return list<string> attributes that the flag, or one that it requires, can read */
    public function needs(int $flag): array;

    /**
     * The flag's rules: [name or null, tests, threshold], and a test is
     * [operation, operand's kind, attribute's number, its name, next if it matches, next if not, a, b, first cell].
     *
     * @return list<Rule>
     */
    public function rules(int $number): array;

    /**
     * The threshold of the last step that has come; null if none has.
     *
     * @param FlagRecord $flag
     */
    public function step(array $flag, int $now): ?int;

    /**
     * The flag's variants: [name, upper, cell of the value or null].
     *
     * @param FlagRecord $flag
     * @return iterable<Variant>
     */
    public function variants(array $flag): iterable;

    /** Value of a cell. */
    public function value(int $cell): mixed;

    /** True if a list holds the key; there may be no such list. */
    public function lists(int $list, int|string $key): bool;

    /** True if a list is empty. */
    public function isEmptyList(int $list): bool;
}
