<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * State of the process's store, for health checks.
 *
 * @internal
 */
final class Status
{
    public const VERSION = '0.1.0';

    /**
     * @return array{backend: string, version: string, store: ?string, environment: ?string, generation: int,
     *     head_generation: int, published_at: ?float, age: ?float, source: string, map: ?string, flags: int,
     *     killed: list<string>, stopped: bool, warning: ?string, last_error: ?string, sigbus: string, overridden: bool,
     *     telemetry: array{file: ?string, error: ?string},
     *     counters: array{on: int, off: int, panics: int, loads: int, refused: int, heads_replaced: int,
     *     lost_mappings: int}}
     */
    public static function all(): array
    {
        $store = Process::store();
        $publishedAt = Process::publishedAt();
        [$on, $off] = Process::counters();
        $warnings = [...($store?->warning === null ? [] : [$store->warning]), ...Settings::refused()];

        return [
            'backend' => 'polyfill',
            'version' => self::VERSION,
            'store' => $store?->directory,
            'environment' => $store?->environment,
            'generation' => Process::generation(),
            'head_generation' => $store?->headGeneration ?? 0,
            'published_at' => $publishedAt === 0 ? null : $publishedAt / 1e6,
            'age' => $publishedAt === 0 ? null : (Process::clock() - $publishedAt) / 1e6,
            'source' => $store?->source ?? 'none',
            'map' => $store?->snapshot === null ? null : 'private',
            'flags' => $store?->snapshot?->flagCount() ?? 0,
            'killed' => $store?->killed ?? [],
            'stopped' => $store?->stopped ?? false,
            'warning' => $warnings === [] ? null : \implode('; ', $warnings),
            'last_error' => Process::lastError(),
            'sigbus' => 'unused',
            'overridden' => Process::overridden(),
            'telemetry' => ['file' => null, 'error' => 'the polyfill counts for itself alone'],
            'counters' => [
                'on' => $on,
                'off' => $off,
                'panics' => 0,
                'loads' => $store?->loads ?? 0,
                'refused' => $store?->refused ?? 0,
                'heads_replaced' => $store?->replaced ?? 0,
                'lost_mappings' => 0,
            ],
        ];
    }
}
