<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Extension;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Http\Alias;
use Flagstone\Laravel\Http\OwnRoutes;
use Flagstone\Laravel\Notifications\Endpoints;
use Flagstone\Laravel\SafeCall;
use Flagstone\Laravel\Subject\Subjects;
use Flagstone\Laravel\Value;

/**
 * Exit code 0: no problem; 1: a problem; 2: an essential check was not possible.
 *
 * @phpstan-import-type Status from Driver
 */
final class DoctorCommand extends FlagCommand
{
    protected $signature = 'feature:doctor
        {--fpm= : What PHP-FPM\'s pool listens on, to ask its workers too}
        {--skip=* : Leave this check of `flagstone doctor` out, such as code-undefined}
        {--json : Print JSON}';

    protected $description = 'Check this machine\'s set-up, and say what to do';

    /** @var list<array{check: string, state: string, text: string}> */
    private array $found = [];

    public function handle(): int
    {
        $this->found = [];
        $this->settings();
        if (!$this->has('problem')) {
            $changer = $this->laravel->make(Changer::class);
            $driver = $this->laravel->make(Flagstone::class)->driver();
            $status = $driver->status();
            $this->driver($driver->name(), $status);
            $this->definitions($driver->name(), $status);
            $this->environment($status, $changer);
            $this->namedStore($changer);
            $this->alias($this->laravel->make(Alias::class));
            $this->routes();
            $this->command($changer);
            $this->overlay($changer);
            $this->ignored($changer);
        }
        $isOk = !$this->has('problem');
        if ($this->isJson()) {
            $this->json(['ok' => $isOk, 'checks' => $this->found]);
        } else {
            foreach ($this->found as $found) {
                $this->line(\sprintf('%-8s %-12s %s', $found['state'], $found['check'], $found['text']));
            }
        }

        return $isOk ? ($this->has('unknown') ? 2 : 0) : 1;
    }

    private function has(string $state): bool
    {
        return \in_array($state, \array_column($this->found, 'state'), true);
    }

    /** Values of config/flagstone.php, some of which are read only when they are needed. */
    private function settings(): void
    {
        $config = $this->config();
        $checks = [];
        foreach (['store', 'environment', 'file', 'overlay', 'binary', 'middleware.alias'] as $key) {
            $checks[$key] = static function () use ($config, $key): void {
                $text = (string) $config->text($key);
                if ($text !== \trim($text) && !@\file_exists($text)) {
                    throw InvalidSetting::blankAtEnd($key, $text);
                }
            };
        }
        $checks += [
            'middleware.after' => static fn (): array => $config->texts('middleware.after'),
            'share' => static fn (): array => $config->flags('share'),
            'unknown' => static fn (): ?string => $config->unknown(),
            'subject' => fn (): mixed => $this->laravel->make(Subjects::class),
            'driver' => fn (): mixed => $this->laravel->make(Drivers::class)->make(),
            'notify' => fn (): mixed => $this->laravel->make(Endpoints::class)->all(),
        ];
        foreach ($checks as $name => $check) {
            try {
                $check();
            } catch (InvalidSetting $problem) {
                // The driver reads others.
                if (!\in_array($problem->getMessage(), \array_column($this->found, 'text'), true)) {
                    $this->note($name, 'problem', $problem->getMessage());
                }

                continue;
            }
            // A database that does not answer is no problem of flags.
            foreach ($name === 'subject' ? SafeCall::or([], fn (): array => $this->laravel->make(Subjects::class)->problems()) : [] as $problem) {
                $this->note($name, 'problem', $problem);
            }
        }
    }

    /** @param Status $status */
    private function driver(string $name, array $status): void
    {
        $extension = Extension::isLoaded();
        $this->note('driver', 'ok', "$name, answered by the {$status['backend']}");
        if (!$extension) {
            $this->note('extension', 'hint', 'not loaded: flags are answered in PHP, which is slower by far');
        } elseif ($name !== 'native') {
            $this->note('extension', 'hint', "loaded, but config/flagstone.php asks for the driver \"$name\"");
        }
    }

    /** @param Status $status */
    private function definitions(string $name, array $status): void
    {
        $where = $status['store'] ?? 'no store';
        if ($status['source'] === 'none') {
            $this->note('definitions', 'problem', "none, every flag is off ($where): "
                . ($status['last_error'] ?? 'publish with `php artisan feature:publish`'));
            if ($name !== 'file' && $this->laravel->environment('local', 'testing')) {
                $this->note('definitions', 'hint', 'for development FLAGSTONE_DRIVER=file answers from flags.json itself');
            }

            return;
        }
        $this->note('definitions', 'ok', "generation {$status['generation']}, {$status['flags']} flags, from $where");
        if ($status['last_error'] !== null) {
            $this->note('definitions', 'problem', $status['last_error']);
        }
        if ($status['warning'] !== null) {
            $this->note('permissions', 'hint', $status['warning']);
        }
        if ($status['overridden']) {
            $this->note('overrides', 'hint', 'flagstone_override() is in force in this process');
        }
    }

    /** @param Status $status */
    private function environment(array $status, Changer $changer): void
    {
        $store = $status['environment'];
        $application = $this->config()->text('environment') ?? (string) $this->laravel->environment();
        if ($store === null || $store === '' || $changer->isFile()) {
            return;
        }
        $this->note(
            'environment',
            $store === $application ? 'ok' : 'hint',
            $store === $application ? $store : "the store is for $store, the application is in $application",
        );
    }

    /** php.ini's store wins over the application's, in artisan, queue workers and cron too. */
    private function namedStore(Changer $changer): void
    {
        $problem = $changer->storeFinding();
        if ($problem !== null) {
            $this->note('named-store', 'problem', $problem);
        }
    }

    private function alias(Alias $alias): void
    {
        $name = $alias->name();
        $class = $alias->foreign();
        if ($class === null) {
            $this->note('alias', 'ok', "$name is Flagstone's middleware");

            return;
        }
        $this->note('alias', 'hint', "the alias $name is the application's own $class, which \"$name:FLAG\" asks instead of Flagstone. To mend: remove it"
            . ' from app/Http/Kernel.php (Laravel 11 and later: bootstrap/app.php), or write another name into middleware.alias of config/flagstone.php');
    }

    private function routes(): void
    {
        $problem = OwnRoutes::warning($this->config());
        if ($problem !== null) {
            $this->note('routes', 'problem', $problem);
        }
    }

    private function command(Changer $changer): void
    {
        $binary = $changer->binary();
        $path = $binary->path();
        if ($path === null) {
            $state = $changer->isFile() ? 'hint' : 'problem';
            $without = 'flagstone is not there, so nothing can be changed in a store. ';
            $this->note('command', $state, $without . $binary::INSTALL);

            return;
        }
        $version = $binary->run(['--version'])->text;
        $this->note('command', 'ok', "$path, $version");
        if (!$changer->isFile() && $changer->directory() !== null) {
            $this->store($changer);
        }
    }

    /** Findings of `flagstone doctor`, without those on its own PHP: this PHP is checked already. */
    private function store(Changer $changer): void
    {
        $fpm = $this->text('fpm');
        $skipped = \array_map(static fn (string $check): string => "--skip=$check", Value::texts($this->option('skip')));
        // The command would ask this application by artisan; it is asked already.
        $skipped[] = '--skip=application';
        $options = ['--php=' . \PHP_BINARY, '--code=' . $this->laravel->basePath(), ...($fpm === null ? [] : ["--fpm=$fpm"]), ...$skipped];
        $result = $changer->command(['doctor', ...$options], true);
        $data = $result->data();
        if (!isset($data['checks'])) {
            $this->note('store', 'problem', Value::text($data, 'error') ?? $result->error);

            return;
        }
        $passed = 0;
        $isOpen = true;
        foreach (Value::items($data, 'checks') as $check) {
            $name = Value::text($check, 'check') ?? '';
            $state = Value::text($check, 'state');
            // Later checks were not possible if the store could not be opened.
            if (\preg_match('/^php(-|$)/', $name) === 1 || $state === 'not_asked' || !$isOpen && $state === 'unknown') {
                continue;
            }
            $isOpen = $isOpen && ($name !== 'store' || $state === 'passed');
            $passed += $state === 'passed' ? 1 : 0;
            if ($name === 'code-undefined' && $state !== 'unknown' && $this->laravel->bound('Laravel\Pennant\FeatureManager')) {
                $this->undefined($changer);
                continue;
            }
            if ($state === 'passed') {
                continue;
            }
            $mend = Value::text($check, 'mend');
            $text = (Value::text($check, 'found') ?? '') . ($mend === null ? '' : ". To mend: $mend");
            $undecided = $state === 'unknown' && Value::bool($check, 'critical') === true;
            $this->note($name, $state === 'failed' ? 'problem' : ($undecided ? 'unknown' : 'hint'), $text);
        }
        if ($isOpen) {
            $this->note('store', 'ok', "$passed checks of `flagstone doctor` passed");
        }
    }

    /**
     * Flags that the code names and that are not published, except those that it asks only Pennant for: its definitions and stores
     * answer for them, until a flag of that name is published.
     */
    private function undefined(Changer $changer): void
    {
        $driver = $this->laravel->make(Flagstone::class)->driver();
        $result = $changer->binary()->run(['scan', $this->laravel->basePath(), '--json']);
        $scanned = $result->data();
        if (!isset($scanned['found'])) {
            $this->note('code-undefined', 'unknown', "cannot tell which flags the code names: $result->error");

            return;
        }
        $missing = $pennants = [];
        foreach (Value::items($scanned, 'found') as $found) {
            [$flag, $file] = [Value::text($found, 'flag') ?? '', Value::text($found, 'file') ?? ''];
            if (\preg_match('~^(tests?|spec)/~', $file) === 1 || $driver->explain($flag, null, [])['reason'] !== 'unknown_flag') {
                continue;
            }
            if (Value::bool($found, 'pennant') === true) {
                $pennants[$flag] = $flag;
            } else {
                $missing[$flag] ??= "$flag ($file:" . Value::int($found, 'line') . ')';
            }
        }
        $pennants = \array_diff_key($pennants, $missing);
        if ($missing !== []) {
            $this->note('code-undefined', 'problem', 'named in the code and not published, so off: ' . \implode(', ', $missing)
                . '. To mend: correct the name, or add the flag (php artisan feature:make ' . \array_key_first($missing) . ') and publish');
        }
        if ($pennants !== []) {
            $this->note('pennant', 'ok', 'not published, so that Pennant itself answers for them: ' . \implode(', ', $pennants));
        }
    }

    private function overlay(Changer $changer): void
    {
        $path = $this->config()->path('overlay', $this->laravel) ?? '';
        $ignore = $this->laravel->basePath('.gitignore');
        $name = \basename($path);
        $ignored = @\is_file($ignore) && \str_contains((string) @\file_get_contents($ignore), $name);
        if (@\is_dir($this->laravel->basePath('.git')) && !$ignored) {
            $this->note('overlay', 'hint', "$name is not in .gitignore: php artisan feature:install adds it");
        }
        if (@\is_file($path)) {
            $this->note('overlay', 'hint', $changer->isFile()
                ? "$name changes flags here: " . (\implode(', ', $changer->overlay()?->changed() ?? []) ?: 'none')
                : "$name is there, but the driver is not \"file\": it changes nothing");
        }
    }

    /** Flags of the overlay that do not exist, or no longer. */
    private function ignored(Changer $changer): void
    {
        foreach ($changer->overlay()?->unknown() ?? [] as $flag) {
            $this->note('overlay', 'hint', "it has $flag, which flags.json lacks, and which is ignored: php artisan feature:reset $flag");
        }
    }

    private function note(string $check, string $state, string $text): void
    {
        $this->found[] = ['check' => $check, 'state' => $state, 'text' => $text];
    }
}
