<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\LoadError;

/**
 * Problems of definitions, each with its file and JSON pointer.
 *
 * @internal
 */
final class Findings
{
    /** Maximum number of problems that are shown; more are only counted. */
    private const MOST = 20;

    /** @var list<string> */
    private array $problems = [];
    private int $count = 0;

    /**
     * Merged texts, the last one first.
     *
     * @var list<array{string, string, mixed}> file, pointer of the tree in it, tree
     */
    private array $layers = [];

    public function layer(string $file, string $pointer, mixed $tree): void
    {
        \array_unshift($this->layers, [$file, $pointer, $tree]);
    }

    /** @param list<int|string> $path of the value in the merged document */
    public function error(array $path, string $message, ?string $hint = null): void
    {
        if (++$this->count <= self::MOST) {
            $this->problems[] = $this->place($path) . ": $message" . ($hint === null ? '' : ": $hint");
        }
    }

    public function count(): int
    {
        return $this->count;
    }

    /** @throws LoadError if there are any */
    public function refuse(): void
    {
        if ($this->count > 0) {
            $more = $this->count - \count($this->problems);
            throw new LoadError(\implode("\n", $this->problems) . ($more > 0 ? "\nand $more more" : ''));
        }
    }

    /** @param list<string|int> $path */
    public static function pointer(array $path): string
    {
        $pointer = '';
        foreach ($path as $segment) {
            $pointer .= '/' . \strtr(self::clip((string) $segment), ['~' => '~0', '/' => '~1']);
        }

        return $pointer;
    }

    /** Shortens a text for messages, so that it cannot forge another line. */
    public static function clip(string $text): string
    {
        $bytes = Spelling::bytes($text, 60);

        return LoadError::printable($bytes < \strlen($text) ? \substr($text, 0, $bytes) . '…' : $text);
    }

    /**
     * The nearest of the known names, if it is near enough to have been meant.
     *
     * @param list<int|string> $known
     */
    public static function nearest(string $name, array $known): ?string
    {
        $bound = \max(1, \min(3, \intdiv(\strlen($name), 3)));
        $best = null;
        foreach (\strlen($name) > 200 ? [] : $known as $candidate) {
            $candidate = (string) $candidate;
            $distance = \levenshtein(\strtolower($name), \strtolower($candidate));
            if ($distance <= $bound && \strlen($candidate) > $distance) {
                [$best, $bound] = [$candidate, $distance - 1];
            }
        }

        return $best;
    }

    /**
     * "did you mean …?", or null.
     *
     * @param list<int|string> $known
     */
    public static function suggestion(string $name, array $known): ?string
    {
        $nearest = self::nearest($name, $known);

        return $nearest === null ? null : "did you mean \"$nearest\"?";
    }

    /**
     * The text that has the value, or else the one that has most of the path to it.
     *
     * @param list<int|string> $path
     */
    private function place(array $path): string
    {
        for ($length = \count($path); $length >= 0; --$length) {
            foreach ($this->layers as [$file, $pointer, $tree]) {
                if (self::has($tree, \array_slice($path, 0, $length))) {
                    $pointer .= self::pointer($path);

                    return $file . ($pointer === '' ? '' : ": $pointer");
                }
            }
        }

        return self::pointer($path);
    }

    /** @param list<int|string> $path */
    private static function has(mixed $tree, array $path): bool
    {
        foreach ($path as $segment) {
            if ($tree instanceof \stdClass && \property_exists($tree, (string) $segment)) {
                $tree = $tree->{(string) $segment};
            } elseif (\is_array($tree) && \array_key_exists($segment, $tree)) {
                $tree = $tree[$segment];
            } else {
                return false;
            }
        }

        return true;
    }
}
