<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * The generation and the instant from which this process, or request, answers. A process that lives long moves on by itself,
 * at most every `flagstone.refresh` seconds.
 *
 * @internal
 */
final class Process
{
    private const NO_STORE = 'no store: set flagstone.store in php.ini, or call flagstone_use() with the store\'s directory';
    /** Nanoseconds before a store that could not be opened is tried again. */
    private const RETRY_NANOSECONDS = 1_000_000_000;
    /** Most nanoseconds between two looks for kills and the stop in a process that lives long. */
    private const SWITCHES_NANOSECONDS = 1_000_000_000;
    /** Maximum number of open stores; the one used longest ago makes room. */
    private const MAX_OPEN = 32;

    private static ?FlagSource $store = null;
    /** @var array<string, FlagSource> by path, in the order of last use */
    private static array $open = [];
    private static ?Evaluator $evaluator = null;
    private static ?Overrides $overrides = null;
    /** The overrides go with the outermost mark. */
    private static bool $overriddenWithin = false;
    private static ?string $named = null;
    /** @var ?array{string, ?string, ?string, bool} file of definitions that answers instead of a store */
    private static ?array $file = null;
    private static ?string $error = null;
    /** Reason why the last flagstone_use() was refused. */
    private static ?string $refused = null;
    private static string $chosen = '';
    private static int $retryAt = 0;

    private static ?Marks $marks = null;
    /** @var ?array{Compiled, FlagSource, int, int} the definitions that a process that lives long holds, for its outermost mark or because it does
     *     not move by itself, their store, their generation, and when that was published */
    private static ?array $held = null;

    private static bool $pinned = false;
    private static bool $isLongLived = false;
    private static bool $counts = true;
    private static int $refresh = 0;
    private static int $checkedAt = 0;
    /** Nanoseconds when the newest content was last taken. */
    private static int $movedAt = 0;
    /** True for a worker that serves many requests and keeps this class's state. */
    private static bool $servesRequests = false;
    /** `REQUEST_TIME_FLOAT` of its current request. */
    private static float $request = 0.0;
    private static int $now = 0;

    private static int $on = 0;
    private static int $off = 0;

    /** @param array<array-key, mixed> $context */
    public static function enabled(string $flag, int|string|null $company, array $context): bool
    {
        self::pin();
        $on = self::isOn($flag, $company, $context);
        if (self::$counts) {
            $on ? ++self::$on : ++self::$off;
        }

        return $on;
    }

    /** @param array<array-key, mixed> $context */
    public static function answer(string $flag, int|string|null $company, array $context): Answer
    {
        self::pin();
        $override = self::$overrides?->answer($flag, $company);
        $number = null;
        try {
            $evaluator = self::$evaluator;
            $number = $evaluator?->snapshot->find($flag);
            if ($evaluator === null || $number === null) {
                $answer = new Answer(false, $evaluator === null ? 'no_snapshot' : 'unknown_flag');
            } else {
                $answer = $evaluator->evaluate($number, $company, $context, self::$now);
            }
        } catch (LoadError) {
            $answer = new Answer(false, 'unknown_flag');
        }
        if ($override !== null) {
            $answer = new Answer($override->on, 'override');
        }
        $answer->flag = $number;
        $answer->override = $override;

        return $answer;
    }

    /**
     * The context for several questions about the flag, with each object that it can read asked once for its value.
     *
     * @param array<array-key, mixed> $context
     * @return array<array-key, mixed>
     */
    public static function resolveContext(string $flag, array $context): array
    {
        if ($context === []) {
            return $context;
        }
        self::pin();

        return self::askEvaluator(static function (Evaluator $evaluator) use ($flag, $context): array {
            $number = $evaluator->snapshot->find($flag);

            return $number === null ? $context : $evaluator->resolveContext($number, $context);
        }, $context);
    }

    public static function possible(string $flag): bool
    {
        self::pin();
        $override = self::$overrides?->possible($flag);
        if ($override !== null) {
            return $override;
        }

        return self::askEvaluator(static function (Evaluator $evaluator) use ($flag): bool {
            $number = $evaluator->snapshot->find($flag);

            return $number !== null && $evaluator->possible($number, self::$now);
        }, false);
    }

    /** @param array<array-key, mixed> $context */
    public static function variant(string $flag, int|string|null $company, array $context): ?string
    {
        $context = self::resolveContext($flag, $context);

        return self::variantOf(self::answer($flag, $company, $context), $company, $context);
    }

    /** @param array<array-key, mixed> $context */
    public static function value(string $flag, int|string|null $company, array $context, mixed $default): mixed
    {
        $context = self::resolveContext($flag, $context);
        $answer = self::answer($flag, $company, $context);
        $number = $answer->flag;
        if (!$answer->on || $number === null) {
            return $default;
        }
        $override = $answer->override?->variant;

        return self::askEvaluator(static function (Evaluator $evaluator) use ($override, $number, $company, $context, $default): mixed {
            $variant = $override === null
                ? $evaluator->variant($number, $company, $context)
                : $evaluator->variantNamed($number, $override);

            return isset($variant[2]) ? $evaluator->snapshot->value($variant[2]) : $default;
        }, $default);
    }

    /**
     * @param array<array-key, mixed> $context
     * @return array{enabled: bool, reason: string, flag: string, company: int|string|null, rule: ?string, bucket: ?int,
     *     percentage: ?float, variant: ?string, prerequisite: ?string, missing: list<string>,
     *     unknown: list<array{attribute: string, type: string, expected: string}>, environment: ?string, generation: int}
     */
    public static function explain(string $flag, int|string|null $company, array $context): array
    {
        $given = $context;
        $context = self::resolveContext($flag, $context);
        $answer = self::answer($flag, $company, $context);
        $variant = self::variantOf($answer, $company, $context);
        $snapshot = self::$evaluator?->snapshot;
        [$rule, $prerequisite, $missing, $unknown] = [null, null, [], []];
        [$number, $ruled, $blocker] = [$answer->flag, $answer->rule, $answer->blocker];
        if ($number !== null) {
            if ($ruled !== null) {
                $rule = self::askEvaluator(static fn (Evaluator $evaluator): ?string => $evaluator->snapshot->rules($number)[$ruled][0] ?? null, null) ?? "#$ruled";
            }
            if ($blocker !== null) {
                $prerequisite = self::askEvaluator(static fn (Evaluator $evaluator): string => $evaluator->snapshot->key($blocker), null);
            }
            if ($answer->override === null) {
                $missing = self::askEvaluator(static fn (Evaluator $evaluator): array => $evaluator->missing($number, $context), []);
                $found = self::askEvaluator(static fn (Evaluator $evaluator): array => $evaluator->unknown($number, $company, $context, self::$now), []);
                foreach ($found as $attribute => $expected) {
                    $value = $attribute === 'company' ? $company : $given[$attribute] ?? null;
                    $unknown[] = ['attribute' => (string) $attribute, 'type' => Attributes::type($value), 'expected' => $expected];
                }
            }
        }

        return [
            'enabled' => $answer->on,
            'reason' => $answer->reason,
            'flag' => $flag,
            'company' => $company,
            'rule' => $rule,
            'bucket' => $answer->bucket,
            'percentage' => $answer->percentage === null ? null : (float) $answer->percentage / 1000.0,
            'variant' => $variant,
            'prerequisite' => $prerequisite,
            'missing' => $missing,
            'unknown' => $unknown,
            'environment' => $snapshot?->environment(),
            'generation' => self::generation(),
        ];
    }

    /**
     * @param array<array-key, mixed> $context
     * @return array<array-key, bool>
     */
    public static function all(int|string|null $company, array $context): array
    {
        self::pin();
        $all = [];
        $snapshot = self::$evaluator?->snapshot;
        for ($number = 0; $number < ($snapshot?->count() ?? 0); ++$number) {
            $key = self::askEvaluator(static fn (Evaluator $evaluator): string => $evaluator->snapshot->key($number), null);
            if ($key !== null) {
                $context = self::askEvaluator(static fn (Evaluator $evaluator): array => $evaluator->resolveContext($number, $context), $context);
                $all[$key] = self::isOn($key, $company, $context);
            }
        }
        $overrides = self::$overrides;
        foreach ($overrides === null ? [] : $overrides->flags() as $key) {
            $override = $overrides?->answer($key, $company);
            $all[$key] = $override !== null && $override->on;
        }

        return $all;
    }

    /** @return list<string> */
    public static function needs(string $flag): array
    {
        self::pin();

        return self::askEvaluator(static function (Evaluator $evaluator) use ($flag): array {
            $number = $evaluator->snapshot->find($flag);

            return $number === null ? [] : $evaluator->snapshot->needs($number);
        }, []);
    }

    public static function refresh(): bool
    {
        // Read before the pin: until the first one there was no generation, so that one is another.
        $before = self::generation();
        self::pin();
        self::$held = null;
        self::$now = self::clock();
        self::advanceToNewest();
        if (self::$isLongLived && self::marks()->holds((int) hrtime(true))) {
            self::hold();
        }

        return $before !== self::generation();
    }

    /** Marks the start of a request or job and returns its token; in a process that serves many, the outermost mark moves the pin. */
    public static function markBegin(): int
    {
        self::pin();
        [$token, $isOutermost] = self::marks()->begin(Marks::place(), (int) hrtime(true));
        if ($isOutermost && self::marksRequests()) {
            self::dropOverridesWithin();
            self::refresh();
        }

        return $token;
    }

    public static function markEnd(?int $token): void
    {
        if (self::marks()->end($token)) {
            self::dropOverridesWithin();
        }
        self::releaseHeld();
    }

    /** Drops the overrides that were made within an outermost mark that ended, or was lost. */
    private static function dropOverridesWithin(): void
    {
        if (self::$overriddenWithin) {
            self::$overriddenWithin = false;
            self::$overrides = null;
        }
    }

    /** True if the outermost mark is a request or job; within a request of PHP's own it is a part of that. */
    private static function marksRequests(): bool
    {
        return self::$isLongLived || self::$servesRequests;
    }

    private static function marks(): Marks
    {
        return self::$marks ??= new Marks();
    }

    /** Holds the content that answers now, unless some is held. */
    private static function hold(): void
    {
        $store = self::$store;
        if ($store?->snapshot !== null && self::heldOf($store) === null) {
            self::$held = [$store->snapshot, $store, $store->generation, $store->publishedAt];
        }
    }

    /** Drops the held content once neither a mark nor the setting needs it. */
    private static function releaseHeld(): void
    {
        if (self::$held !== null && !self::staysAtItsContent() && !self::marks()->holds((int) hrtime(true))) {
            self::$held = null;
        }
    }

    /** True until the refresh interval is over, in a process that lives long. */
    private static function staysAtItsContent(): bool
    {
        return self::$refresh === 0 || (self::$isLongLived && hrtime(true) - self::$movedAt < self::$refresh);
    }

    /** The generation that answers. */
    public static function generation(): int
    {
        return self::heldOf(self::$store)[2] ?? self::$store?->generation ?? 0;
    }

    /** Time of its publishing in microseconds since 1970; 0 if there was none. */
    public static function publishedAt(): int
    {
        return self::heldOf(self::$store)[3] ?? self::$store?->publishedAt ?? 0;
    }

    /**
     * The content that a mark holds, if it is of that store.
     *
     * @return ?array{Compiled, FlagSource, int, int}
     */
    private static function heldOf(?FlagSource $store): ?array
    {
        return self::$held !== null && self::$held[1] === $store ? self::$held : null;
    }

    public static function use(string $store): bool
    {
        self::pin();
        $configured = Settings::store();
        try {
            self::$refused = null;
            $path = self::withFunctions(static fn (): string => self::nameable($store, $configured));
        } catch (LoadError $problem) {
            self::$refused = 'flagstone_use(): ' . $problem->getMessage();
            // The store that was named before may be another application's.
            $path = '';
        }
        $isAnother = self::$named !== $path;
        self::$named = $path;
        if ($isAnother && $configured === '') {
            self::advanceToNewest();
        }

        return self::lastRefusal() === null;
    }

    /**
     * Makes absolute the path that PHP code names, if it may name one while php.ini names `$configured`.
     *
     * @throws LoadError
     */
    private static function nameable(string $store, string $configured): string
    {
        if ($store === '' || \str_contains($store, "\0")) {
            throw new LoadError('"' . LoadError::printable($store) . '" is no path');
        }
        $path = Trust::absolute($store);
        if ($configured === '' || $configured === $path) {
            return $path;
        }
        [$one, $other] = [@\lstat("$path/."), @\lstat("$configured/.")];
        if ($one === false || $other === false || [$one['dev'], $one['ino']] !== [$other['dev'], $other['ino']]) {
            throw new LoadError("php.ini's flagstone.store is " . LoadError::printable($configured) . ', which ' . LoadError::printable($store) . ' cannot replace');
        }

        return $path;
    }

    /** The reason why no store is open, or why the name of one was refused. */
    private static function lastRefusal(): ?string
    {
        return self::$refused ?? self::$error;
    }

    /**
     * Answers from a file of definitions instead of a store, until the request ends; null ends that. True if there is something to
     * answer from.
     *
     * @param ?string $overlay path of a merge patch that is applied last; it need not exist
     * @param bool    $maySkip the environment may be one that the document does not name: it gets the document as it is
     */
    public static function useFile(?string $path, ?string $environment = null, ?string $overlay = null, bool $maySkip = false): bool
    {
        self::pin();
        $file = $path === null ? null : [$path, $environment, $overlay, $maySkip];
        if (self::$file !== $file) {
            self::$file = $file;
            self::advanceToNewest();
        }

        return self::$evaluator !== null;
    }

    /** @param ?array<array-key, mixed> $answers */
    public static function override(?array $answers, ?bool $otherwise): void
    {
        if (!Settings::overrideAllowed()) {
            throw new \Error('flagstone_override() is refused: flagstone.allow_override is off in this process');
        }
        self::$overrides = $answers === null && $otherwise === null ? null : new Overrides($answers ?? [], $otherwise);
        self::$overriddenWithin = self::marksRequests() && self::marks()->isOpen();
    }

    public static function store(): ?FlagSource
    {
        self::pin();

        return self::$store;
    }

    /**
     * Numbers of answers "on" and "off".
     *
     * @return array{int, int}
     */
    public static function counters(): array
    {
        return [self::$on, self::$off];
    }

    public static function overridden(): bool
    {
        return self::$overrides !== null;
    }

    public static function lastError(): ?string
    {
        return self::lastRefusal() ?? self::$store?->lastError();
    }

    /** Microseconds since 1970. */
    public static function clock(): int
    {
        return (int) (\microtime(true) * 1e6);
    }

    /** Ensures that there is something to answer from, and that it is as new as it should be. */
    private static function pin(): void
    {
        if (!self::$pinned) {
            self::$isLongLived = Settings::isLongLived();
            self::$refresh = Settings::refresh();
            self::$counts = Settings::telemetry();
            self::$servesRequests = \PHP_SAPI === 'frankenphp';
            self::$pinned = true;
            self::isAnotherRequest();
            self::$now = self::clock();
            self::advanceToNewest();

            return;
        }
        if (self::$isLongLived) {
            if (hrtime(true) - self::$checkedAt >= \min(self::$refresh ?: self::SWITCHES_NANOSECONDS, self::SWITCHES_NANOSECONDS)) {
                if (self::staysAtItsContent()) {
                    self::hold();
                } elseif (!self::marks()->holds((int) hrtime(true))) {
                    self::$now = self::clock();
                }
                self::advanceToNewest();
            }
        } elseif (self::$servesRequests && self::isAnotherRequest()) {
            self::$named = null;
            self::$refused = null;
            self::$file = null;
            self::$overrides = null;
            self::$now = self::clock();
            self::advanceToNewest();
        }
    }

    /** True if the time of the request is a later one. An application may write anything there, or remove it. */
    private static function isAnotherRequest(): bool
    {
        $found = $_SERVER['REQUEST_TIME_FLOAT'] ?? null;
        if ($found === self::$request || !\is_float($found)) {
            return false;
        }
        $clock = \microtime(true);
        // An earlier one is a request's only where the clock went back.
        $isAnother = $found <= $clock && ($found > self::$request || $clock < self::$request);
        self::$request = $isAnother ? $found : self::$request;

        return $isAnother;
    }

    /** Moves to the newest generation. */
    private static function advanceToNewest(): void
    {
        self::$checkedAt = (int) hrtime(true);
        try {
            self::withFunctions(static function (): void {
                if (self::choose()) {
                    self::$store?->checkForUpdate();
                }
            });
        } catch (LoadError $problem) {
            self::$store = null;
            self::$error = $problem->getMessage();
        }
        $store = self::$store;
        self::releaseHeld();
        if (self::$held === null) {
            self::$movedAt = self::$checkedAt;
        }
        $snapshot = self::heldOf($store)[0] ?? $store?->snapshot;
        if ($store === null || $snapshot === null) {
            self::$evaluator = null;
        } else {
            self::$evaluator = new Evaluator($snapshot, $store->killed, $store->stopped, $store->killsUnknown);
        }
    }

    /** Opens the store that the settings or the application name; true if it was open already. */
    private static function choose(): bool
    {
        if (self::$file !== null) {
            return self::chooseFile(self::$file);
        }
        $path = Settings::store();
        if ($path === '') {
            $path = self::$named ?? (\defined('FLAGSTONE_STORE') ? (string) \constant('FLAGSTONE_STORE') : '');
        }
        // A relative path would name another store in another working directory, which PHP code chooses.
        $isRelative = $path !== '' && $path[0] !== '/';
        $before = $path === self::$chosen ? self::$store : null;
        $linked = $before !== null && '/' . \implode('/', \array_diff(\explode('/', $path), ['', '.'])) !== $before->directory;
        if ($before !== null && (!$linked || hrtime(true) < self::$retryAt)) {
            return true;
        }
        if ($path === self::$chosen && self::$error !== null && hrtime(true) < self::$retryAt) {
            return false;
        }
        self::$store = null;
        self::$chosen = $path;
        self::$retryAt = (int) hrtime(true) + self::RETRY_NANOSECONDS;
        self::$error = match (true) {
            $path === '' && !\function_exists('get_cfg_var') => LoadError::withoutFunction('get_cfg_var()')->getMessage(),
            $path === '' => self::NO_STORE,
            $isRelative => 'flagstone.store is "' . LoadError::printable($path) . '" in php.ini, expected an absolute path: every flag is off',
            default => null,
        };

        return self::$error === null && self::open($path, $before);
    }

    /**
     * Opens the store, or returns the one that is open, after judging the path as given; true if it was open already.
     *
     * @param ?FlagSource $before the store that the path led to
     */
    private static function open(string $path, ?FlagSource $before): bool
    {
        try {
            $known = self::$open[$path] ?? null;
            $trust = Trust::directory($path);
            if ($known instanceof Store && $known->isAt($trust)) {
                self::keep($path, $known);

                return true;
            }
            $store = new Store($path);
            if ($before !== null && $before->environment !== $store->environment) {
                throw new LoadError(\sprintf(
                    '%s leads to %s now, a store for "%s", expected "%s"; answering from %s as before. '
                        . 'Lead it back, or restart PHP if the environment is meant to change',
                    LoadError::printable($path),
                    LoadError::printable($store->directory),
                    $store->environment,
                    $before->environment,
                    LoadError::printable($before->directory),
                ));
            }
            self::keep($path, $store);

            return false;
        } catch (LoadError $problem) {
            self::$error = $problem->getCode() !== LoadError::MISSING
                ? $problem->getMessage()
                : 'cannot open the store ' . LoadError::printable($path) . ': it is not there'
                    . (!\function_exists('ini_get') || Settings::iniValue('open_basedir') !== '' ? ', or open_basedir forbids it' : '') . '; check flagstone.store' . LoadError::missingStore($path);
            self::$store = $before;

            return $before !== null;
        }
    }

    /** @param array{string, ?string, ?string, bool} $file */
    private static function chooseFile(array $file): bool
    {
        self::$chosen = \implode("\0", $file);
        self::$error = null;
        $isOpen = isset(self::$open[self::$chosen]);
        self::keep(self::$chosen, self::$open[self::$chosen] ?? new DefinitionsFile(...$file));

        return $isOpen;
    }

    /** Answers from this store from now on, and keeps it open. */
    private static function keep(string $path, FlagSource $store): void
    {
        unset(self::$open[$path]);
        self::$store = self::$open[$path] = $store;
        if (\count(self::$open) > self::MAX_OPEN) {
            unset(self::$open[\array_key_first(self::$open)]);
        }
    }

    /** @param array<array-key, mixed> $context */
    private static function isOn(string $flag, int|string|null $company, array $context): bool
    {
        if (self::$overrides !== null) {
            $override = self::$overrides->answer($flag, $company);
            if ($override !== null) {
                return $override->on;
            }
        }
        if (self::$evaluator === null) {
            return false;
        }
        try {
            $number = self::$evaluator->snapshot->find($flag);

            return $number !== null && self::$evaluator->enabled($number, $company, $context, self::$now);
        } catch (LoadError) {
            return false;
        }
    }

    /** @param array<array-key, mixed> $context */
    private static function variantOf(Answer $answer, int|string|null $company, array $context): ?string
    {
        $override = $answer->override;
        if ($override !== null && ($override->variant !== null || !$override->on)) {
            return $override->variant;
        }
        $number = $answer->flag;
        if (!$answer->on || $number === null) {
            return null;
        }

        return self::askEvaluator(static fn (Evaluator $evaluator): ?string => $evaluator->variant($number, $company, $context)[0] ?? null, null);
    }

    /**
     * Returns the result of `$ask`; `$otherwise` if there is no snapshot, or its content is not sound.
     *
     * @template T
     * @template O
     * @param \Closure(Evaluator): T $ask
     * @param O $otherwise
     * @return T|O
     */
    private static function askEvaluator(\Closure $ask, mixed $otherwise): mixed
    {
        if (self::$evaluator === null) {
            return $otherwise;
        }
        try {
            return $ask(self::$evaluator);
        } catch (LoadError) {
            return $otherwise;
        }
    }

    /**
     * Runs `$do` without a warning to any error handler: a missing file is an answer here.
     *
     * @template T
     * @param \Closure(): T $do
     * @return T
     * @throws LoadError where disable_functions names what it calls
     */
    private static function withFunctions(\Closure $do): mixed
    {
        \set_error_handler(static fn (): bool => true);
        try {
            return $do();
        } catch (\Error $error) {
            $message = $error->getMessage();
            if (!\str_starts_with($message, 'Call to undefined function ')) {
                throw $error;
            }
            throw LoadError::withoutFunction(\substr((string) \strrchr(\strtr($message, ' ', '\\'), '\\'), 1));
        } finally {
            \restore_error_handler();
        }
    }
}
