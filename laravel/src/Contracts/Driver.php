<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Contracts;

/**
 * Source of answers. All drivers answer alike; they differ in requirements and speed.
 *
 * No question throws because of its data: an unknown flag is off. A context holds attributes by name: int, float, string or bool,
 * a backed enum, a DateTimeInterface, or a Stringable without toArray().
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
    /** Name: native, store, file, or one that the application chose. */
    public function name(): string;

    /** @param array<string, mixed> $context */
    public function enabled(string $flag, int|string|null $company = null, array $context = []): bool;

    /**
     * Same as enabled(), for an answer that does not affect the request: the request's outcome is not counted for the flag.
     *
     * @param array<string, mixed> $context
     */
    public function peek(string $flag, int|string|null $company = null, array $context = []): bool;

    /** Returns true if the flag could be on for any company now. */
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
     * Returns the answer and how it came about, with the keys that feature_explain() documents.
     *
     * @param array<string, mixed> $context
     * @return Explanation
     */
    public function explain(string $flag, int|string|null $company = null, array $context = []): array;

    /**
     * Returns every flag's answer.
     *
     * @param array<string, mixed> $context
     * @return array<array-key, bool> a flag named by digits alone is an int
     */
    public function all(int|string|null $company = null, array $context = []): array;

    /**
     * Returns the companies for which the flag is on, keys kept.
     *
     * @template K of array-key
     * @param array<K, int|string|null> $companies
     * @param array<string, mixed> $context
     * @return array<K, int|string|null>
     */
    public function filter(string $flag, array $companies, array $context = []): array;

    /**
     * Returns the context attributes that the flag can read; empty for most.
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
