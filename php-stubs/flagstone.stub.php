<?php

/**
 * The functions of the Flagstone extension, for editors and static analysis. Never load this file beside the
 * extension or the polyfill.
 *
 * A company is an int or a string, normalised as array keys are: `42` and `"42"` are one company, `"042"` is another. An
 * empty string, or one longer than 1,024 bytes, counts as no company. An object, a bool, or a float that is no int is a TypeError.
 *
 * A context holds attributes by name: int, float, string or bool; a backed enum, as its value; a DateTimeInterface, as RFC 3339 in
 * UTC; a Stringable without toArray(), as its text. Null counts as missing. Anything else cannot be compared: conditions on it are
 * unknown, and no rule holds by them.
 *
 * No question throws for what the data hold, or prints anything. Without a snapshot every flag is off.
 */

/**
 * Is the flag on for this company?
 *
 * @param string $flag case-sensitive; an unknown flag is off
 * @param array<string, mixed> $context
 */
function feature_enabled(string $flag, int|string|null $company = null, array $context = []): bool {}

/**
 * As {@see feature_enabled()}, where the answer chooses nothing that the request does, in a layout say: it is counted as an answer,
 * and what the request comes to is not counted for the flag.
 *
 * @param array<string, mixed> $context
 */
function feature_peek(string $flag, int|string|null $company = null, array $context = []): bool {}

/**
 * Could the flag be on for anyone now? False where it is unknown, killed, stopped or disabled, where one that it
 * requires is, or where no list, rule or percentage leads to on.
 */
function feature_possible(string $flag): bool {}

/**
 * The variant that a flag shows to this company: null where the flag is off, has no variants, or has nothing to
 * draw by.
 *
 * @param array<string, mixed> $context
 */
function feature_variant(string $flag, int|string|null $company = null, array $context = []): ?string {}

/**
 * The value of that variant; `$default` where there is no variant, or it has no value.
 *
 * @param array<string, mixed> $context
 */
function feature_value(string $flag, int|string|null $company = null, array $context = [], mixed $default = null): mixed {}

/**
 * The answer and how it came about.
 *
 * `reason` is one of no_snapshot, unknown_flag, killed, emergency_stop, disabled, prerequisite, denied, allowed, rule,
 * no_company, no_key, full, rollout_in, rollout_out, override. `bucket` is 0 to 99,999, `percentage` 0 to 100.
 * `prerequisite` is the required flag that is off; `missing` are attributes that the flag can read and the question
 * lacked; `unknown` are attributes that the question had and that could not be compared on the way to the answer, each with its
 * type ("an object of App\Plan") and what it has to be ("a string").
 *
 * @param array<string, mixed> $context
 * @return array{enabled: bool, reason: string, flag: string, company: int|string|null, rule: ?string, bucket: ?int,
 *     percentage: ?float, variant: ?string, prerequisite: ?string, missing: list<string>,
 *     unknown: list<array{attribute: string, type: string, expected: string}>, environment: ?string, generation: int}
 */
function feature_explain(string $flag, int|string|null $company = null, array $context = []): array {}

/**
 * Every flag's answer for this company.
 *
 * @param array<string, mixed> $context
 * @return array<string, bool>
 */
function feature_all(int|string|null $company = null, array $context = []): array {}

/**
 * Those of the companies for which the flag is on, under the keys that they came with.
 *
 * @template K of array-key
 * @param array<K, int|string|null> $companies
 * @param array<string, mixed> $context
 * @return array<K, int|string|null>
 */
function feature_filter(string $flag, array $companies, array $context = []): array {}

/**
 * The context attributes that the flag, or one that it requires, can read; sorted. Empty for most flags.
 *
 * @return list<string>
 */
function feature_needs(string $flag): array {}

/**
 * What this process knows about its store: for health checks.
 *
 * `source` is `current`, `previous` (the current generation could not be loaded when the process started),
 * `last_good` (a newer one was refused) or `none`. Times are Unix seconds, ages are seconds. `sigbus` says whether a mapped file that is
 * cut short can end this process: `in_place` (it cannot), `replaced` (something else took the signal),
 * `blocked` (something blocks the signal in this thread) or `unused` (nothing is mapped).
 *
 * @return array{backend: string, version: string, store: ?string, environment: ?string, generation: int,
 *     head_generation: int, published_at: ?float, age: ?float, source: string, map: ?string, flags: int,
 *     killed: list<string>, stopped: bool, warning: ?string, last_error: ?string, sigbus: string, overridden: bool,
 *     telemetry: array{file: ?string, error: ?string},
 *     counters: array{on: int, off: int, panics: int, loads: int, refused: int, heads_replaced: int,
 *     lost_mappings: int}}
 */
function flagstone_status(): array {}

/**
 * Moves this process to the newest generation now. True if it is another than before. Under FPM every request does
 * that by itself.
 */
function flagstone_refresh(): bool {}

/**
 * A request or job begins, in a process that serves many: a queue worker, Octane, Swoole. The pin moves to the newest
 * generation, and its content stays until the end; kills and the stop still come through. Marks nest, and the outermost
 * counts; within a request of PHP's own, as of PHP-FPM, all are inner ones. End it in `finally`.
 *
 * Marks may overlap, as those of fibers do: one request at a time is followed, and the next one that begins after its end is the
 * next that counts. A mark that is lost, since an exception passed its end, is given up when one begins at the same place again,
 * and after an hour.
 *
 * @return int a token that ends it
 */
function flagstone_request_begin(): int {}

/**
 * It ends, and what it came to is counted for the flags that it asked.
 *
 * Under PHP-FPM and other servers, without a mark that is open: the client of PHP's own request has its response. What runs
 * from here on is no part of the request. `fastcgi_finish_request()` says the same.
 *
 * @param int $status the HTTP status; 0: none, as of a job, or the one that PHP sent; -1: an exception that nobody caught
 * @param ?int $token what the begin returned; null: the mark that began last
 * @throws ValueError for any other status below 100 or above 599
 */
function flagstone_request_end(int $status = 0, ?int $token = null): void {}

/**
 * The flag, which is off, ended this request, with a 404 say: what the request comes to is counted for no flag.
 */
function flagstone_gated(string $flag): void {}

/**
 * Something happened in this request that experiments count: an order, a signup. When the request ends it counts once for
 * each flag that the request asked, for the variant it was shown or for on or off; a value tracked twice is added up. A flag
 * that chose something in an earlier request is asked again before: the same company gets the same variant.
 *
 * @param string $event 1 to 64 bytes
 * @param float $value a finite number, such as the order's total
 * @throws ValueError for another name or value
 */
function feature_track(string $event, float $value = 1.0): void {}

/**
 * Names this application's store, where `flagstone.store` is empty; for this request, or, under the CLI, this process.
 * Called again with the same path it costs a comparison.
 *
 * @param string $store the store's directory
 * @return bool false where php.ini names another store, `open_basedir` forbids the path, or the store cannot be opened:
 *     `flagstone_status()['last_error']` says why. A store that was named before no longer answers then
 */
function flagstone_use(string $store): bool {}

/**
 * For tests: what this process answers. Both null: as without.
 *
 * @param array<string, bool|string|array<int|string, bool|string>>|null $answers by flag: on or off, a variant (and on),
 *     or those by company
 * @param bool|null $otherwise the answer for everything not named; null: as without
 * @throws Error where `flagstone.allow_override` is off; by default it is on under the CLI only
 */
function flagstone_override(?array $answers, ?bool $otherwise = null): void {}
