<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Contracts;

/**
 * Where answers come from. Every driver answers alike; they differ in what they need and how quick they are.
 *
 * No question throws for what the data hold: an unknown flag is off. A context holds attributes by name: int, float, string or
 * bool, a backed enum, a DateTimeInterface, or a Stringable without toArray().
 *
 * @phpstan-type Explanation array{enabled: bool, reason: string, flag: string, company: int|string|null, rule: ?string, bucket: ?int,
 *     percentage: ?float, variant: ?string, prerequisite: ?string, missing: list<string>,
 *     unknown: list<array{attribute: string, type: string, expected: string}>, environment: ?string, generation: int}
 * @phpstan-type Status array{backend: string, version: string, store: ?string, environment: ?string, generation: int,
 *     head_generation: int, published_at: ?float, age: ?float, source: string, map: ?string, flags: int,
 *     killed: list<string>, stopped: bool, warning: ?string, last_error: ?string, sigbus: string, overridden: bool,
 *     telemetry: array{file: ?string, error: ?string},
 *     counters: array{on: int, off: int, panics: int, loads: int, refused: int, heads_replaced: int,
 *     lost_mappings: int}}
 */
interface Driver
{
    /** native, store, file, or what the application calls its own. */
    public function name(): string;

    /** @param array<string, mixed> $context */
    public function enabled(string $flag, int|string|null $company = null, array $context = []): bool;

    /**
     * As enabled(), where the answer chooses nothing that the request does: what the request comes to is not counted for the flag.
     *
     * @param array<string, mixed> $context
     */
    public function peek(string $flag, int|string|null $company = null, array $context = []): bool;

    /** Could the flag be on for anyone now? */
    public function possible(string $flag): bool;

    /** @param array<string, mixed> $context */
    public function variant(string $flag, int|string|null $company = null, array $context = []): ?string;

    /** @param array<string, mixed> $context */
    public function value(
        string $flag,
        int|string|null $company = null,
        array $context = [],
        mixed $default = null,
    ): mixed;

    /**
     * The answer and how it came about, with the keys that feature_explain() documents.
     *
     * @param array<string, mixed> $context
     * @return Explanation
     */
    public function explain(string $flag, int|string|null $company = null, array $context = []): array;

    /**
     * Every flag's answer.
     *
     * @param array<string, mixed> $context
     * @return array<array-key, bool> a flag named by digits alone is an int
     */
    public function all(int|string|null $company = null, array $context = []): array;

    /**
     * Those of the companies for which the flag is on, keys kept.
     *
     * @template K of array-key
     * @param array<K, int|string|null> $companies
     * @param array<string, mixed> $context
     * @return array<K, int|string|null>
     */
    public function filter(string $flag, array $companies, array $context = []): array;

    /**
     * The context attributes that the flag can read; empty for most.
     *
     * @return list<string>
     */
    public function needs(string $flag): array;

    /** @return list<string> every flag there is */
    public function names(): array;

    /** @return Status with the keys that flagstone_status() documents */
    public function status(): array;

    /** Moves to the newest definitions now; true if they changed. */
    public function refresh(): bool;
}
