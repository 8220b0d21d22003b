<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * References between flags and segments.
 *
 * @internal
 */
final class References
{
    private const REQUIRED = 64;
    private const COMPARISONS = 10_000;
    private const NESTING = 128;

    /** @var list<array{string, string, list<int|string>}> flag, required flag, path */
    private array $required = [];
    /** @var list<array{?string, string, list<int|string>}> using segment (null: a flag), used segment, path */
    private array $used = [];
    /** @var list<array{string, string, list<int|string>}> flag, its former key, path */
    private array $was = [];
    /** The segment that is being read; null while flags are. */
    private ?string $owner = null;

    public function owner(?string $segment): void
    {
        $this->owner = $segment;
    }

    /** @param list<int|string> $path */
    public function requires(string $flag, string $required, array $path): void
    {
        $this->required[] = [$flag, $required, $path];
    }

    /** @param list<int|string> $path */
    public function was(string $flag, string $was, array $path): void
    {
        $this->was[] = [$flag, $was, $path];
    }

    /** @param list<int|string> $path */
    public function uses(string $segment, array $path): void
    {
        $this->used[] = [$this->owner, $segment, $path];
    }

    /**
     * @param array<int|string, Flag>  $flags
     * @param array<int|string, mixed> $segments
     */
    public function check(array $flags, array $segments, Findings $findings): void
    {
        $renamed = $this->formerKeys($flags, $findings);
        foreach ([['flag', $this->required, $flags], ['segment', $this->used, $segments]] as [$what, $links, $known]) {
            foreach ($links as [, $to, $path]) {
                if (!isset($known[$to])) {
                    $now = $what === 'flag' ? $renamed[$to] ?? null : null;
                    $hint = $now === null ? Findings::suggestion($to, \array_keys($known)) : "it is called \"$now\" now";
                    $findings->error($path, "unknown $what \"" . Findings::clip($to) . '"', $hint);
                }
            }
        }
        $cycles = $this->cycles('requires', $this->required, $findings);
        $used = [];
        foreach ($this->used as [$from, $to, $path]) {
            if ($from !== null) {
                $used[] = [$from, $to, $path];
            }
        }
        $cycles += $this->cycles('uses', $used, $findings);
        // Sizes need sound input: a flag or segment that is missing or broken is reported already.
        if ($cycles === 0 && $findings->count() === 0) {
            $this->sizes($flags, $segments, $findings);
        }
    }

    /**
     * Reports former keys that are a flag's, or that two flags share.
     *
     * @param array<int|string, Flag> $flags
     * @return array<int|string, string> current keys of renamed flags, by former key
     */
    private function formerKeys(array $flags, Findings $findings): array
    {
        $renamed = [];
        foreach ($this->was as [$from, $to, $path]) {
            if ($from === $to) {
                $findings->error($path, "$from was $to, its own key", '"was" names the key that the flag had before');
            } elseif (isset($flags[$to])) {
                $findings->error($path, "$from was $to, which is a flag as well", 'remove that flag, or "was" if both are meant');
            } elseif (isset($renamed[$to])) {
                $findings->error($path, "$from and {$renamed[$to]} both say that they were $to");
            } else {
                $renamed[$to] = $from;
            }
        }

        return $renamed;
    }

    /** @param list<array{string, string, list<int|string>}> $links */
    private function cycles(string $verb, array $links, Findings $findings): int
    {
        $next = [];
        foreach ($links as [$from, $to, $path]) {
            $next[$from][] = [$to, $path];
        }
        [$count, $done] = [0, []];
        foreach (\array_keys($next) as $start) {
            // Without recursion: a chain may be as long as the document.
            $way = isset($done[$start]) ? [] : [[$start, 0]];
            $onWay = $way === [] ? [] : [$start => 0];
            $done[$start] = true;
            while ($way !== []) {
                $last = \count($way) - 1;
                [$name, $turn] = $way[$last];
                ++$way[$last][1];
                if (!isset($next[$name][$turn])) {
                    \array_pop($way);
                    unset($onWay[$name]);
                    continue;
                }
                [$to, $path] = $next[$name][$turn];
                if (isset($onWay[$to])) {
                    ++$count;
                    $circle = \array_column(\array_slice($way, $onWay[$to], 12), 0);
                    $findings->error($path, "$to $verb itself: " . \implode(' → ', [...$circle, $to]));
                } elseif (!isset($done[$to])) {
                    $done[$to] = true;
                    $onWay[$to] = \count($way);
                    $way[] = [$to, 0];
                }
            }
        }

        return $count;
    }

    /**
     * @param array<int|string, Flag> $flags
     * @param array<int|string, mixed> $segments
     */
    private function sizes(array $flags, array $segments, Findings $findings): void
    {
        $sizes = [];
        foreach ($flags as $key => $flag) {
            [$comparisons, $nesting] = [0, 0];
            foreach ($flag->rules as [, $when]) {
                [$more, $deep] = $this->size($when, $segments, $sizes);
                [$comparisons, $nesting] = [\min($comparisons + $more, \PHP_INT_MAX >> 8), \max($nesting, $deep)];
            }
            if ($comparisons > self::COMPARISONS) {
                $findings->error(
                    ['flags', $key],
                    "the rules of $key make $comparisons comparisons with their segments, expected at most " . self::COMPARISONS,
                    'use one "in" with a list instead of many comparisons',
                );
            }
            if ($nesting > self::NESTING) {
                $findings->error(['flags', $key], "the conditions of $key nest $nesting deep with their segments, expected at most " . self::NESTING);
            }
            if (\count(self::closure((string) $key, $flags, self::REQUIRED + 1)) > self::REQUIRED) {
                $findings->error(['flags', $key], "$key requires more than " . self::REQUIRED . ' flags through others, expected at most ' . self::REQUIRED);
            }
        }
    }

    /**
     * The flags that the flag requires, directly and through others; at most `$most`.
     *
     * @param array<int|string, Flag> $flags
     * @return list<string>
     */
    private static function closure(string $key, array $flags, int $most): array
    {
        $reached = [$key => true];
        $queue = [$key];
        for ($turn = 0; isset($queue[$turn]) && \count($queue) <= $most; ++$turn) {
            foreach ($flags[$queue[$turn]]->requires as $required) {
                if (!isset($reached[$required])) {
                    $reached[$required] = true;
                    $queue[] = $required;
                }
            }
        }

        return \array_slice($queue, 1);
    }

    /**
     * Comparisons and nesting, with each segment in the place where it is named.
     *
     * @param array<int|string, mixed> $segments
     * @param array<string, array{int, int}> $sizes
     * @return array{int, int}
     */
    private function size(\stdClass $condition, array $segments, array &$sizes): array
    {
        [$comparisons, $nesting] = [0, 0];
        if (isset($condition->attribute)) {
            $comparisons = 1;
        } elseif (isset($condition->segment)) {
            $name = $condition->segment;
            $segment = \is_string($name) ? $segments[$name] ?? null : null;
            if (\is_string($name) && $segment instanceof \stdClass) {
                $sizes[$name] ??= $this->size($segment, $segments, $sizes);
                [$comparisons, $nesting] = $sizes[$name];
            }
        } else {
            foreach (NestedConditions::of($condition) as $part) {
                [$more, $deep] = $this->size($part, $segments, $sizes);
                [$comparisons, $nesting] = [\min($comparisons + $more, \PHP_INT_MAX >> 8), \max($nesting, $deep)];
            }
        }

        return [$comparisons, $nesting + 1];
    }
}
