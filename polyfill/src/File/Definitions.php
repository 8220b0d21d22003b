<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\Compiled;

/**
 * Definitions compiled in memory, for the same evaluator as snapshots.
 *
 * @internal
 * @phpstan-import-type FlagRecord from Compiled
 * @phpstan-import-type Rule from Compiled
 */
final class Definitions implements Compiled
{
    /** @var array<int|string, int> numbers of flags by key */
    public array $numbers = [];
    /** @var list<string> by number */
    public array $keys = [];
    /** @var list<FlagRecord> by number */
    public array $flags = [];
    /** @var list<string> by number */
    public array $attributes = [];
    /** @var list<int> */
    public array $links = [];
    /** @var array<int, list<Rule>> by flag */
    public array $rules = [];
    /** @var list<array{int, int}> microseconds since 1970, thousandths */
    public array $steps = [];
    /** @var list<array{string, int, ?int}> */
    public array $variants = [];
    /** @var list<mixed> */
    public array $cells = [];
    /** @var list<array<int|string, true>> by number; 0 is the empty list */
    public array $lists = [[]];

    /** Number of former keys. */
    public int $former = 0;

    public function __construct(private readonly string $environment)
    {
    }

    public function count(): int
    {
        return \count($this->keys);
    }

    public function flagCount(): int
    {
        return \count($this->keys) - $this->former;
    }

    public function environment(): string
    {
        return $this->environment;
    }

    public function find(string $key): ?int
    {
        return $this->numbers[$key] ?? null;
    }

    public function key(int $number): string
    {
        return $this->keys[$number];
    }

    public function flag(int $number): array
    {
        return $this->flags[$number];
    }

    public function links(int $first, int $count): array
    {
        return $count === 0 ? [] : \array_slice($this->links, $first, $count);
    }

    public function attribute(int $number): string
    {
        return $this->attributes[$number];
    }

    public function needs(int $flag): array
    {
        $record = $this->flags[$flag];

        return \array_map($this->attribute(...), $this->links($record['needs'], $record['needsCount']));
    }

    public function rules(int $number): array
    {
        return $this->rules[$number] ?? [];
    }

    public function step(array $flag, int $now): ?int
    {
        $come = null;
        foreach (\array_slice($this->steps, $flag['steps'], $flag['stepsCount']) as [$at, $threshold]) {
            if ($at > $now) {
                break;
            }
            $come = $threshold;
        }

        return $come;
    }

    public function variants(array $flag): array
    {
        return \array_slice($this->variants, $flag['variants'], $flag['variantsCount']);
    }

    public function value(int $cell): mixed
    {
        return $this->cells[$cell];
    }

    public function lists(int $list, int|string $key): bool
    {
        return isset($this->lists[$list][$key]);
    }

    public function isEmptyList(int $list): bool
    {
        return $this->lists[$list] === [];
    }
}
