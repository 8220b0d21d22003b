<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * Reads the guard's limits for flags, only to report mistakes: no answer depends on them.
 *
 * @internal
 */
final class Guards
{
    private const KEYS = ['error_rate', 'p95_ms', 'relative', 'min_requests', 'min_companies', 'window', 'cooldown', 'watch', 'action', 'baseline'];
    private const RATE = 'a share of the requests, above 0 and at most 1, such as 0.05';
    private const TIMES = 'a number above 1 and at most 100';
    private const SPANS = ['window' => [86_400, 'a day'], 'cooldown' => [30 * 86_400, '30 days'], 'watch' => [8 * 86_400, '8 days']];
    private const SECONDS = ['s' => 1, 'm' => 60, 'h' => 3_600, 'd' => 86_400, 'w' => 604_800];

    public function __construct(private readonly FieldReader $read)
    {
    }

    /** @param list<int|string> $path */
    public function guard(mixed $value, array $path): void
    {
        if (\is_bool($value)) {
            return;
        }
        foreach ($this->read->fields($value, $path, self::KEYS, 'true, false or an object of limits') ?? [] as $name => $limit) {
            $at = [...$path, $name];
            match ($name) {
                'error_rate' => $this->above($limit, $at, 0, 1, self::RATE),
                'relative' => $this->relative($limit, $at),
                'p95_ms' => $this->between($limit, $at, 60_000),
                'min_requests' => $this->between($limit, $at, 1_000_000_000),
                'min_companies' => $this->between($limit, $at, 16),
                'window', 'cooldown', 'watch' => $this->span($limit, $at, ...self::SPANS[$name]),
                'action' => $this->read->choice($limit, $at, ['rollback', 'hold', 'notify']),
                'baseline' => $this->read->choice($limit, $at, ['auto', 'off', 'past']),
                default => null,
            };
        }
    }

    /** @param list<int|string> $path */
    private function relative(mixed $value, array $path): void
    {
        foreach ($this->read->fields($value, $path, ['errors', 'p95'], 'an object with "errors" or "p95"') ?? [] as $name => $times) {
            $this->above($times, [...$path, $name], 1, 100, self::TIMES);
        }
    }

    /**
     * Reads a number above `$low`, and `$high` at most.
     *
     * @param list<int|string> $path
     */
    private function above(mixed $value, array $path, int $low, int $high, string $expected): void
    {
        if (!(\is_int($value) || \is_float($value)) || $value <= $low || $value > $high) {
            $this->read->mismatch($value, $path, $expected);
        }
    }

    /** @param list<int|string> $path */
    private function between(mixed $value, array $path, int $most): void
    {
        if (!\is_int($value) || $value < 1 || $value > $most) {
            $this->read->mismatch($value, $path, "an integer from 1 to $most");
        }
    }

    /** @param list<int|string> $path */
    private function span(mixed $value, array $path, int $most, string $named): void
    {
        $expected = 'a length of time such as "5m" or "1h": a number and s, m, h, d or w';
        $text = $this->read->string($value, $path, $expected);
        if ($text === null) {
            return;
        }
        if (!Spelling::isSpan($text)) {
            $this->read->mismatch($text, $path, $expected);

            return;
        }
        $seconds = \intval(\substr($text, 0, -1)) * (self::SECONDS[\substr($text, -1)] ?? 1);
        if ($seconds < 60 || $seconds > $most) {
            $this->read->mismatch($text, $path, "at least a minute and at most $named");
        }
    }
}
