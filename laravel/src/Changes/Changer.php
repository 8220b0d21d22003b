<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Closure;
use Flagstone\Laravel\Exceptions\BrokenDefinitions;
use Flagstone\Laravel\Flagstone;
use RuntimeException;
use stdClass;
use Throwable;

/**
 * Makes all changes of flags in this package: by the command `flagstone` if a store answers, in the git-ignored overlay if
 * flags.json itself does.
 */
final class Changer
{
    /** Commands that show which companies they reach before they run. */
    private const WEIGHED = [
        'publish', 'rollback', 'enable', 'disable', 'rollout', 'allow', 'deny', 'forget', 'delete',
        'plan start', 'plan resume', 'plan advance', 'plan abort',
    ];
    /** Commands that do not wait for a query of the companies. */
    private const AT_ONCE = ['kill', 'revive', 'stop-all', 'resume-all', 'plan hold'];

    /** Commands that change nothing. */
    private const READING = ['status', 'list', 'show', 'explain', 'history', 'incident', 'stats', 'health', 'metrics', 'scan'];

    /**
     * @param Closure(): ?string $user the name of the signed-in user, if there is one
     */
    public function __construct(
        private readonly Flagstone $flagstone,
        private readonly Binary $binary,
        private readonly Overlay $overlay,
        private readonly ?string $store,
        private readonly StoreNames $names,
        private readonly Companies $companies,
        private readonly Closure $user,
    ) {
    }

    /** @param bool $json true for a JSON document as the result's text */
    public function apply(Change $change, bool $json = false): Result
    {
        $result = $this->isFile() ? $this->file($change, $json) : $this->store($change->arguments(), $json);
        if (!$change->dryRun) {
            $this->flagstone->driver()->refresh();
        }

        return $result;
    }

    /**
     * Runs a command that needs a store: kill, rollback, history …
     *
     * @param list<string> $arguments of the command `flagstone`
     * @param ?float $timeout in seconds; null: no limit
     */
    public function command(array $arguments, bool $json = false, ?float $timeout = null): Result
    {
        if ($this->isFile()) {
            return Result::refused(
                "`{$arguments[0]}` is for a published store;"
                . ' here flags.json itself answers (the driver is "file")',
            );
        }
        $result = $this->store($arguments, $json, $timeout);
        $this->flagstone->driver()->refresh();

        return $result;
    }

    /** True if flags.json answers, and changes go to the overlay. */
    public function isFile(): bool
    {
        return $this->flagstone->driver()->name() === 'file';
    }

    /** True if the store may have an agent, which changes it for users who may not write it. */
    public function hasAgent(): bool
    {
        $store = (string) $this->directory();
        $config = \json_decode((string) @\file_get_contents("$store/config.json"), true);
        $named = \is_array($config) && \is_array($config['agent'] ?? null) ? $config['agent']['socket'] ?? null : null;

        return \is_string($named) ? @\file_exists($named) : @\file_exists("$store/agent.sock") || (@\glob('/run/flagstone/*.sock') ?: []) !== [];
    }

    /** True if a store can be asked and changed from here. */
    public function hasCommand(): bool
    {
        return !$this->isFile() && $this->binary->path() !== null;
    }

    /**
     * The flags of flags.json and the overlay, if these answer.
     *
     * @return array<array-key, bool|stdClass>
     * @throws RuntimeException if one of the files cannot be used
     */
    public function flags(): array
    {
        $this->check();

        return $this->overlay->flags();
    }

    /** The overlay, if flags.json answers and an overlay is read; else null. */
    public function overlay(): ?Overlay
    {
        return $this->isFile() && $this->overlay->name() !== '' ? $this->overlay : null;
    }

    /** @param ?string $flag null: all */
    public function reset(?string $flag): Result
    {
        $overlay = $this->overlay();
        if ($overlay === null) {
            return Result::refused('no overlay is read here: the driver is "' . $this->flagstone->driver()->name() . '"');
        }
        $result = $overlay->reset($flag);
        $this->flagstone->driver()->refresh();

        return $result;
    }

    /** Refuses to change or show files that the driver cannot use. */
    private function check(): void
    {
        $status = $this->flagstone->driver()->status();
        $file = $status['store'] ?? '';
        if ($status['last_error'] !== null && @\file_exists($file)) {
            throw BrokenDefinitions::of($file, $status['last_error']);
        }
    }

    public function binary(): Binary
    {
        return $this->binary;
    }

    /** The environment that a change reaches; null if unknown. */
    public function environment(): ?string
    {
        return $this->flagstone->driver()->status()['environment'];
    }

    /** The store's directory; null if none is named. */
    public function directory(): ?string
    {
        return $this->flagstone->driver()->status()['store'] ?? $this->store;
    }

    /** The store that this application names while another one answers; null if both are the same. */
    public function otherStore(): ?string
    {
        $store = $this->answering();

        return $store === '' ? null : $this->names->other($store);
    }

    /** A warning of that; null if both are the same. */
    public function storeWarning(): ?string
    {
        $other = $this->otherStore();

        return $other === null ? null : "warning: {$this->names->difference($this->answering(), $other)}";
    }

    /** The difference between the store that answers and the one that this application names, and the remedy; null if there is none. */
    public function storeProblem(): ?string
    {
        return $this->problemOf($this->otherStore());
    }

    /** The same, also if a cached configuration has not read the store of .env, which keeps nobody from a change. */
    public function storeFinding(): ?string
    {
        $store = $this->answering();

        return $store === '' ? null : $this->problemOf($this->names->otherOrUnread($store));
    }

    /** The directory of the store that answers; empty: none does. */
    private function answering(): string
    {
        return $this->isFile() ? '' : (string) $this->directory();
    }

    private function problemOf(?string $other): ?string
    {
        $store = $this->answering();

        return $other === null ? null : $this->names->difference($store, $other) . '. To mend: ' . $this->names->remedy($store, $other);
    }

    private function file(Change $change, bool $json): Result
    {
        try {
            $this->check();
        } catch (BrokenDefinitions $problem) {
            return Result::refused($problem->getMessage());
        }

        return $this->overlay->apply($change, $json);
    }

    /** @param list<string> $arguments */
    private function store(array $arguments, bool $json, ?float $timeout = null): Result
    {
        $store = $this->directory();
        if ($store === null || $store === '') {
            return Result::unknown('no store is named: set FLAGSTONE_STORE, or "store" in config/flagstone.php');
        }
        $command = (string) \array_shift($arguments);
        $parts = \explode(' ', $command);
        $other = $this->names->other($store);
        if ($other !== null && $command !== 'doctor') {
            return \in_array($command, self::READING, true)
                ? $this->binary->run([...$parts, "--store=$store", ...($json ? ['--json'] : []), ...$arguments], null, $timeout)
                    ->warning((string) $this->storeWarning())
                : $this->ambiguous($store, $other, $parts, $arguments);
        }
        // Doctor's advice is for the store that the application means.
        $store = $other ?? $store;
        $options = ["--store=$store", ...($json ? ['--json'] : [])];
        $user = self::has($arguments, 'actor') || \getenv('FLAGSTONE_ACTOR') ? null : ($this->user)();
        if ($user !== null && \in_array($command, [...self::WEIGHED, ...self::AT_ONCE], true)) {
            $options[] = "--actor=$user";
        }
        if (!\in_array($command, self::WEIGHED, true) || self::has($arguments, 'count-for') || !$this->companies->isConfigured()) {
            return $this->binary->run([...$parts, ...$options, ...$arguments], null, $timeout);
        }
        try {
            $companies = $this->companies->file();
        } catch (Throwable $problem) {
            $told = "{$problem->getMessage()}; cannot determine which companies the change reaches";
            if (!self::has($arguments, 'yes') && !self::has($arguments, 'dry-run')) {
                return Result::unanswered($told);
            }

            return $this->binary->run([...$parts, ...$options, ...$arguments])->warning("warning: $told");
        }

        return $this->binary->run([...$parts, ...$options, '--count-for=-', ...$arguments], $companies);
    }

    /**
     * Refuses a change that could be meant for either store.
     *
     * @param list<string> $parts
     * @param list<string> $arguments
     */
    private function ambiguous(string $store, string $other, array $parts, array $arguments): Result
    {
        $line = static fn (string $store): string => 'flagstone '
            . \implode(' ', \array_map(StoreNames::shell(...), [...$parts, "--store=$store", ...$arguments]));

        return Result::refused("{$this->names->difference($store, $other)}; nothing was changed. Type, for the one or the other, as its store's owner:\n"
            . "\n    {$line($other)}\n    {$line($store)}\n\nTo mend: {$this->names->remedy($store, $other)}");
    }

    /** @param list<string> $arguments */
    private static function has(array $arguments, string $option): bool
    {
        foreach ($arguments as $argument) {
            if ($argument === '--') {
                return false;
            }
            if ($argument === "--$option" || \str_starts_with($argument, "--$option=")) {
                return true;
            }
        }

        return false;
    }
}
