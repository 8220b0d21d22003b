<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Changes\ResultCache;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Value;
use Illuminate\Contracts\Foundation\Application;
use Throwable;

/**
 * Reports whether, and from which definitions, this process answers flags, and whether the application's database and cache answer.
 *
 * `failing`: no flag can be answered, or the database or the cache does not answer. `degraded`: definitions older than the
 * published ones answer, here or in other workers, and a restart would lose the last good ones; or `flagstone health` says so,
 * for a guard that is dead or a store whose emergency switches would stop nothing, or has no answer.
 *
 * @phpstan-import-type Status from Driver
 */
final class HealthReport
{
    public const OK = 'ok';
    public const DEGRADED = 'degraded';
    public const FAILING = 'failing';

    public function __construct(private readonly Application $app)
    {
    }

    /**
     * @param Status $status
     * @return array{status: string, environment: string, database: string, cache: string, version: string, driver: string,
     *     flagstone: array<string, mixed>}
     */
    public function of(Driver $driver, array $status): array
    {
        return $this->report($driver, $status, $this->workers());
    }

    /**
     * @param Status $status
     * @param array<array-key, mixed> $workers
     * @return array{status: string, environment: string, database: string, cache: string, version: string, driver: string,
     *     flagstone: array<string, mixed>}
     */
    private function report(Driver $driver, array $status, array $workers): array
    {
        $database = $this->answers('database.default', fn (): mixed => $this->app->make('db')->connection()->select('select 1'));
        $cache = $this->answers('cache.default', fn (): mixed => $this->app->make('cache')->store()->get('flagstone:health'));
        $behind = Value::int($workers, 'workers_behind');
        $is = match (true) {
            $status['source'] === 'none', $database === self::FAILING, $cache === self::FAILING => self::FAILING,
            $status['source'] !== 'current', $status['last_error'] !== null, ($behind ?? 0) > 0, self::problems($workers) !== [] => self::DEGRADED,
            default => self::OK,
        };

        return [
            'status' => $is,
            'environment' => (string) $this->app->environment(),
            'database' => $database,
            'cache' => $cache,
            'version' => $status['version'],
            'driver' => $driver->name(),
            'flagstone' => [
                'environment' => $status['environment'],
                'generation' => $status['generation'],
                'head_generation' => $status['head_generation'],
                'age' => $status['age'],
                'source_state' => $status['source'],
                'last_error' => $status['last_error'],
                'warning' => $status['warning'],
                'store' => $status['store'],
                'backend' => $status['backend'],
                'flags' => $status['flags'],
                'killed' => $status['killed'],
                'stopped' => $status['stopped'],
                'workers' => Value::int($workers, 'workers'),
                'workers_behind' => $behind,
                'problems' => self::problems($workers),
            ],
        ];
    }

    /**
     * Problems by which `flagstone health` is degraded, though flags are answered.
     *
     * @param array<array-key, mixed> $counted
     * @return list<string>
     */
    private static function problems(array $counted): array
    {
        // A store on a read-only mount, as in a container of the application's, is changed elsewhere.
        $frozen = Value::bool($counted, 'read_only') === true ? null : Value::text($counted, 'emergency_error');
        $overdue = Value::int($counted, 'conflicts_overdue') ?? 0;

        $unknown = Value::text($counted, 'unknown');

        return \array_values(\array_filter([
            $unknown === null ? null : "cannot tell how other workers answer, whether a guard is dead, and whether kill and stop-all would stop anything: $unknown",
            $frozen === null ? null : "kill and stop-all would stop nothing: $frozen",
            Value::text($counted, 'guard', 'problem'),
            Value::bool($counted, 'full') === true ? 'the file system of the store is full: nothing can be published, and the audit trail lacks what is killed' : null,
            Value::int($counted, 'kills_left') === 0 ? 'all places for kills are taken: neither you nor the guard can kill another flag (flagstone health)' : null,
            ...Value::texts($counted, 'shut_out'),
            ...Value::texts($counted, 'copies_read'),
            $overdue === 0 ? null : "conflicts between the file and what runs, open for more than a day: $overdue (flagstone status lists them)",
        ], is_string(...)));
    }

    /**
     * Report of this process now, and of the other workers at most five seconds ago.
     *
     * @return array{status: string, environment: string, database: string, cache: string, version: string, driver: string,
     *     flagstone: array<string, mixed>}
     */
    public function now(): array
    {
        $driver = $this->app->make(Flagstone::class)->driver();

        $cache = $this->app->make(ResultCache::class);
        $workers = $this->changer()->hasCommand() ? self::counted($cache->get('health', fn (): Result => $this->ask(Binary::TIMEOUT))) : [];

        return $this->report($driver, $driver->status(), $workers);
    }

    /**
     * Counters of all workers; empty without the command, or if flags.json answers.
     *
     * @return array<array-key, mixed>
     */
    private function workers(): array
    {
        return $this->changer()->hasCommand() ? self::counted($this->ask(null)) : [];
    }

    private function ask(?float $timeout): Result
    {
        return $this->changer()->command(['health'], true, $timeout);
    }

    private function changer(): Changer
    {
        return $this->app->make(Changer::class);
    }

    /**
     * What the command counted; the reason alone where it could not tell.
     *
     * @return array<array-key, mixed>
     */
    private static function counted(Result $result): array
    {
        $counted = Value::items($result->data(), 'flagstone');

        return $counted !== [] ? $counted : ['unknown' => $result->error !== '' ? $result->error : '`flagstone health` printed nothing that can be read'];
    }

    /** @param callable(): mixed $ask throws if nothing answers */
    private function answers(string $configured, callable $ask): string
    {
        if ($this->app->make('config')->get($configured) === null) {
            return 'none';
        }
        try {
            $ask();
        } catch (Throwable) {
            // The reason is only in the application's log; this answer may be public.
            return self::FAILING;
        }

        return self::OK;
    }
}
