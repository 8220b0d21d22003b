<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Marks of requests and jobs that began and did not end, by the extension's rules: the outermost holds the content. A lost one,
 * whose end was skipped by an exception, is given up when a mark begins at the same place again, and after an hour. One that ends
 * after it was given up shows that marks at one place overlap, as in a loop of promises: for an hour none is given up by its place.
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
    /** @var array<int, int> nanoseconds when a mark was given up by its place, by its token */
    private array $givenUp = [];
    /** Nanoseconds until which none is. */
    private int $overlapUntil = 0;
    private int $last = 0;

    /** @return array{int, bool} its token, and whether it is the outermost */
    public function begin(string $place, int $now): array
    {
        foreach ($this->open as $number => $mark) {
            if ($place !== '' && $mark[1] === $place && $now >= $this->overlapUntil) {
                $recent = \array_filter($this->givenUp, static fn (int $at): bool => $now - $at < self::LIMIT);
                $lost = \array_column(\array_splice($this->open, $number), 0);
                $this->givenUp = \array_slice($recent + \array_fill_keys($lost, $now), 0, self::MAX_OPEN, true);
                break;
            }
        }
        if ($this->isOpen() && !$this->holds($now)) {
            $this->open = [];
        }
        if (\count($this->open) >= self::MAX_OPEN) {
            $this->open = \array_values(\array_filter($this->open, static fn (array $mark): bool => $mark[3]));
        }
        $isOutermost = !$this->isOpen();
        $this->open[] = [++$this->last, $place, $now, $isOutermost];

        return [$this->last, $isOutermost];
    }

    /** Ends the mark of that token; without one, the last that began. True if that was the outermost. */
    public function end(?int $token): bool
    {
        $wasOpen = $this->isOpen();
        if ($token === null) {
            \array_pop($this->open);
        } else {
            $this->open = \array_values(\array_filter($this->open, static fn (array $mark): bool => $mark[0] !== $token));
            if (isset($this->givenUp[$token])) {
                $this->overlapUntil = $this->givenUp[$token] + self::LIMIT;
                unset($this->givenUp[$token]);
            }
        }

        return $wasOpen && !$this->isOpen();
    }

    /** True if a request is open. */
    public function isOpen(): bool
    {
        return $this->outermost() !== null;
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

    /** Identifies the call of `flagstone_request_begin()` among those that are not over; empty if it is unknown. */
    public static function place(): string
    {
        $calls = \function_exists('debug_backtrace') ? \debug_backtrace(\DEBUG_BACKTRACE_IGNORE_ARGS) : [];
        foreach ($calls as $call) {
            if ($call['function'] === 'flagstone_request_begin') {
                $fiber = \Fiber::getCurrent();

                return ($call['file'] ?? '') . ':' . ($call['line'] ?? 0) . ':' . \count($calls) . ':' . ($fiber === null ? 0 : \spl_object_id($fiber));
            }
        }

        return '';
    }
}
