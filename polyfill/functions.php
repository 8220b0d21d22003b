<?php

/*
 * The functions, with the extension's signatures. This file is not under strict_types, so that arguments are converted as
 * PHP converts them for its own functions. `$company` has no declared type: PHP would turn an object into a string before
 * it could be refused, and a model's string is its JSON, never its key.
 */

use Flagstone\Polyfill\Company;
use Flagstone\Polyfill\Process;
use Flagstone\Polyfill\Status;

if (!function_exists('feature_enabled')) {
    /**
     * Returns true if the flag is on for that company.
     *
     * @param int|string|null $company
     * @param array<array-key, mixed> $context
     */
    function feature_enabled(string $flag, $company = null, array $context = []): bool
    {
        if (!\is_int($company) && $company !== null) {
            $company = Company::key($company, 'feature_enabled', 2, 'company');
        }

        return Process::enabled($flag, $company, $context);
    }
}

if (!function_exists('feature_possible')) {
    /** Returns true if the flag could be on for any company now. */
    function feature_possible(string $flag): bool
    {
        return Process::possible($flag);
    }
}

if (!function_exists('feature_variant')) {
    /**
     * Returns the variant drawn; null if the flag is off or has none.
     *
     * @param int|string|null $company
     * @param array<array-key, mixed> $context
     */
    function feature_variant(string $flag, $company = null, array $context = []): ?string
    {
        return Process::variant($flag, Company::key($company, 'feature_variant', 2, 'company'), $context);
    }
}

if (!function_exists('feature_value')) {
    /**
     * Returns the value of the variant drawn; the default if there is none.
     *
     * @param int|string|null $company
     * @param array<array-key, mixed> $context
     */
    function feature_value(string $flag, $company = null, array $context = [], mixed $default = null): mixed
    {
        return Process::value($flag, Company::key($company, 'feature_value', 2, 'company'), $context, $default);
    }
}

if (!function_exists('feature_explain')) {
    /**
     * Returns the answer, and how it came about.
     *
     * @param int|string|null $company
     * @param array<array-key, mixed> $context
     * @return array{enabled: bool, reason: string, flag: string, company: int|string|null, rule: ?string, bucket: ?int,
     *     percentage: ?float, variant: ?string, prerequisite: ?string, missing: list<string>,
     *     unknown: list<array{attribute: string, type: string, expected: string}>, environment: ?string, generation: int}
     */
    function feature_explain(string $flag, $company = null, array $context = []): array
    {
        return Process::explain($flag, Company::key($company, 'feature_explain', 2, 'company'), $context);
    }
}

if (!function_exists('feature_all')) {
    /**
     * Returns every flag, on or off.
     *
     * @param int|string|null $company
     * @param array<array-key, mixed> $context
     * @return array<array-key, bool> a flag named by digits alone is an int
     */
    function feature_all($company = null, array $context = []): array
    {
        return Process::all(Company::key($company, 'feature_all', 1, 'company'), $context);
    }
}

if (!function_exists('feature_filter')) {
    /**
     * Returns the companies for which the flag is on, under their keys.
     *
     * @template K of array-key
     * @template V
     * @param array<K, V> $companies
     * @param array<array-key, mixed> $context
     * @return array<K, V>
     */
    function feature_filter(string $flag, array $companies, array $context = []): array
    {
        $context = $companies === [] ? $context : Process::resolveContext($flag, $context);

        return array_filter($companies, static fn ($company): bool => Process::answer(
            $flag,
            Company::key($company, 'feature_filter', 2, 'companies'),
            $context,
        )->on);
    }
}

if (!function_exists('feature_needs')) {
    /**
     * Returns the context attributes that the flag, or one that it requires, can read.
     *
     * @return list<string>
     */
    function feature_needs(string $flag): array
    {
        return Process::needs($flag);
    }
}

if (!function_exists('flagstone_status')) {
    /**
     * Returns the state of this process's store.
     *
     * @return array{backend: string, version: string, store: ?string, environment: ?string, generation: int,
     *     head_generation: int, published_at: ?float, age: ?float, source: string, map: ?string, flags: int,
     *     killed: list<string>, stopped: bool, warning: ?string, last_error: ?string, sigbus: string, overridden: bool,
     *     telemetry: array{file: ?string, error: ?string},
     *     counters: array{on: int, off: int, panics: int, loads: int, refused: int, heads_replaced: int,
     *     lost_mappings: int}}
     */
    function flagstone_status(): array
    {
        return Status::all();
    }
}

if (!function_exists('feature_peek')) {
    /**
     * Same as feature_enabled(), for an answer that does not affect the request.
     *
     * @param int|string|null $company
     * @param array<array-key, mixed> $context
     */
    function feature_peek(string $flag, $company = null, array $context = []): bool
    {
        $company = Company::key($company, 'feature_peek', 2, 'company');

        return Process::enabled($flag, $company, $context);
    }
}

if (!function_exists('flagstone_request_begin')) {
    /** Marks the start of a request or job, which may be inside another. The returned token ends it. */
    function flagstone_request_begin(): int
    {
        return Process::markBegin();
    }
}

if (!function_exists('flagstone_request_end')) {
    /** Marks its end. Nothing is counted without the extension. */
    function flagstone_request_end(int $status = 0, ?int $token = null): void
    {
        if ($status !== 0 && $status !== -1 && ($status < 100 || $status > 599)) {
            throw new \ValueError('flagstone_request_end(): Argument #1 ($status) must be an HTTP status from 100 to 599, 0 for none, or -1 for an exception, ' . $status . ' given');
        }
        Process::markEnd($token);
    }
}

if (!function_exists('flagstone_gated')) {
    /** Notes that the flag ended the request. Nothing is counted without the extension. */
    function flagstone_gated(string $flag): void
    {
    }
}

if (!function_exists('feature_track')) {
    /** Notes an event that experiments count. Nothing is counted without the extension. */
    function feature_track(string $event, float $value = 1.0): void
    {
        if ($event === '' || \strlen($event) > 64) {
            throw new \ValueError('feature_track(): Argument #1 ($event) must have 1 to 64 bytes, it has ' . \strlen($event));
        }
        if (!\is_finite($value)) {
            throw new \ValueError('feature_track(): Argument #2 ($value) must be a finite number');
        }
    }
}

if (!function_exists('flagstone_refresh')) {
    /** Moves to the newest generation now; true if it changed. */
    function flagstone_refresh(): bool
    {
        return Process::refresh();
    }
}

if (!function_exists('flagstone_use')) {
    /** Names this application's store, unless php.ini names one. */
    function flagstone_use(string $store): bool
    {
        return Process::use($store);
    }
}

if (!function_exists('flagstone_override')) {
    /**
     * Sets the answers of this process, for tests; null, null ends that.
     *
     * @param ?array<array-key, mixed> $answers
     */
    function flagstone_override(?array $answers, ?bool $otherwise = null): void
    {
        Process::override($answers, $otherwise);
    }
}
