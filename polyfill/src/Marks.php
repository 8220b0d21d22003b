<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Marks of requests and jobs that began and did not end, by the extension's rules: the outermost holds the content. A lost one,
 * whose end was skipped by an exception, is given up when a mark begins at the same place again, and after an hour.
 *
 * @internal
 */
final class Marks
{
    /** Maximum nanoseconds for which a mark holds the content. */
    private const LIMIT = 3_600_000_000_000;
    private const MAX_OPEN = 256;

    /** @var list<array{int, string, int, bool}> token, place, begin, whether it is the outermost */
    private array $open = [];
    private int $last = 0;

    /** @return array{int, bool} its token, and whether it is the outermost */
    public function begin(string $place, int $now): array
    {
        foreach ($this->open as $number => $mark) {
            if ($mark[1] === $place) {
                $this->open = \array_slice($this->open, 0, $number);
                break;
            }
        }
        if ($this->outermost() !== null && !$this->holds($now)) {
            $this->open = [];
        }
        if (\count($this->open) >= self::MAX_OPEN) {
            $this->open = \array_values(\array_filter($this->open, static fn (array $mark): bool => $mark[3]));
        }
        $isOutermost = $this->outermost() === null;
        $this->open[] = [++$this->last, $place, $now, $isOutermost];

        return [$this->last, $isOutermost];
    }

    /** Ends the mark of that token; without one, the last that began. */
    public function end(?int $token): void
    {
        if ($token === null) {
            \array_pop($this->open);
        } else {
            $this->open = \array_values(\array_filter($this->open, static fn (array $mark): bool => $mark[0] !== $token));
        }
    }

    public function holds(int $now): bool
    {
        $outermost = $this->outermost();

        return $outermost !== null && $now - $outermost[2] < self::LIMIT;
    }

    /** @return ?array{int, string, int, bool} */
    private function outermost(): ?array
    {
        foreach ($this->open as $mark) {
            if ($mark[3]) {
                return $mark;
            }
        }

        return null;
    }

    /** Identifies the call of `flagstone_request_begin()` among those that are not over. */
    public static function place(): string
    {
        $calls = \debug_backtrace(\DEBUG_BACKTRACE_IGNORE_ARGS);
        foreach ($calls as $call) {
            if ($call['function'] === 'flagstone_request_begin') {
                $fiber = \Fiber::getCurrent();

                return ($call['file'] ?? '') . ':' . ($call['line'] ?? 0) . ':' . \count($calls) . ':' . ($fiber === null ? 0 : \spl_object_id($fiber));
            }
        }

        return '';
    }
}
