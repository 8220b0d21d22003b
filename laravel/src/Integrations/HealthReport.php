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
 * Whether this process answers flags, and from what; and whether the application's database and cache answer.
 *
 * `failing` is where no flag can be answered, or the database or the cache does not. `degraded` is where older definitions answer than
 * are published, here or in other workers: a restart would lose the last good ones.
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
            $status['source'] !== 'current', $status['last_error'] !== null, ($behind ?? 0) > 0 => self::DEGRADED,
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
            ],
        ];
    }

    /**
     * Of this process as it is now, and of the other workers as they were at most five seconds ago.
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
     * What the counters tell of all workers; empty where the command is not there, or flags.json answers.
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

    /** @return array<array-key, mixed> */
    private static function counted(Result $result): array
    {
        return Value::items($result->data(), 'flagstone');
    }

    /** @param callable(): mixed $ask throws where nothing answers */
    private function answers(string $configured, callable $ask): string
    {
        if ($this->app->make('config')->get($configured) === null) {
            return 'none';
        }
        try {
            $ask();
        } catch (Throwable) {
            // Why is in the application's log; here anybody might read it.
            return self::FAILING;
        }

        return self::OK;
    }
}
