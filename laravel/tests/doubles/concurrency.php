<?php

/**
 * Stands for the concurrency of Laravel 11 and later: as much as starts a process. The command that runs there is in Support/artisan.php.
 */

declare(strict_types=1);

namespace Illuminate\Process {
    final class Factory
    {
    }
}

namespace Illuminate\Concurrency {
    use Closure;
    use Illuminate\Process\Factory;
    use Illuminate\Support\Arr;
    use Illuminate\Support\Defer\DeferredCallback;
    use Illuminate\Support\Defer\DeferredCallbackCollection;
    use Laravel\SerializableClosure\SerializableClosure;

    class ProcessDriver
    {
        public function __construct(protected Factory $processFactory)
        {
        }

        public function run(Closure|array $tasks, ?int $timeout = null): array
        {
            return \array_map(static function (Closure $task): mixed {
                $variables = ['LARAVEL_INVOKABLE_CLOSURE' => \base64_encode(\serialize(new SerializableClosure($task)))];
                $command = [\PHP_BINARY, 'artisan', 'invoke-serialized-closure'];
                $process = \proc_open($command, [1 => ['pipe', 'w']], $pipes, \base_path(), $variables + \getenv());
                $printed = (string) \stream_get_contents($pipes[1]);
                \proc_close($process);

                return \unserialize(\json_decode($printed, true, 512, \JSON_THROW_ON_ERROR)['result']);
            }, Arr::wrap($tasks));
        }

        public function defer(Closure|array $tasks): DeferredCallback
        {
            $deferred = new DeferredCallback(fn (): array => $this->run($tasks));
            \app(DeferredCallbackCollection::class)[] = $deferred;

            return $deferred;
        }
    }

    final class ConcurrencyManager
    {
        /** @var array<string, Closure> */
        private array $creators = [];

        public function extend(string $name, Closure $creator): self
        {
            $this->creators[$name] = $creator->bindTo($this, $this);

            return $this;
        }

        public function driver(?string $name = null): object
        {
            return isset($this->creators[$name ?? 'process']) ? $this->creators[$name ?? 'process'](\app(), []) : new ProcessDriver(new Factory());
        }
    }
}

namespace Illuminate\Queue {
    class BackgroundQueue extends SyncQueue
    {
        public function push($job, $data = '', $queue = null)
        {
            \app(\Illuminate\Concurrency\ConcurrencyManager::class)->driver('process')->defer(
                static fn () => \Illuminate\Support\Facades\Queue::connection('sync')->push($job, $data, $queue),
            );
        }
    }
}

namespace Illuminate\Queue\Connectors {
    final class BackgroundConnector implements ConnectorInterface
    {
        public function connect(array $config)
        {
            return new \Illuminate\Queue\BackgroundQueue();
        }
    }
}
