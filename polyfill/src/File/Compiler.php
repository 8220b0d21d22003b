<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\Bucket;
use Flagstone\Polyfill\Compiled;
use Flagstone\Polyfill\Evaluator;

/**
 * Compiles a document for the evaluator, which alone defines what the parts mean.
 *
 * @internal
 * @phpstan-import-type FlagRecord from Compiled
 */
final class Compiler
{
    private readonly Definitions $compiled;
    private readonly ConditionCompiler $programs;

    private function __construct(private readonly Document $document, string $environment)
    {
        $this->compiled = new Definitions($environment);
        $this->programs = new ConditionCompiler($this->compiled, $document->segments);
    }

    public static function compile(Document $document, string $environment): Definitions
    {
        $self = new self($document, $environment);
        foreach ($document->flags as $flag) {
            if ($flag->was !== null) {
                $flag->salt ??= $flag->was;
                $document->flags[$flag->was] = $flag;
                ++$self->compiled->former;
            }
        }
        \ksort($document->flags, \SORT_STRING);
        $self->compiled->keys = \array_map('strval', \array_keys($document->flags));
        $self->compiled->numbers = \array_flip($self->compiled->keys);
        foreach ($self->compiled->keys as $number => $key) {
            $self->compiled->flags[$number] = $self->flag($number, $key, $document->flags[$key]);
        }

        return $self->compiled;
    }

    /** @return FlagRecord */
    private function flag(int $number, string $key, Flag $flag): array
    {
        $compiled = $this->compiled;
        $salt = $flag->salt ?? $key;
        $threshold = $flag->percentage ?? Evaluator::FULL;
        $closure = [];
        $this->close($key, $closure);
        $requires = \array_map(static fn (int|string $required): int => $compiled->numbers[$required], \array_keys($closure));
        $needs = $this->needs([...\array_keys($closure), $key]);
        $steps = [];
        foreach ($flag->steps as $at => $thousandths) {
            $steps[] = [$at, $thousandths];
        }
        $variants = $this->variants($flag);
        foreach ($flag->rules as [$name, $when, $percentage]) {
            $compiled->rules[$number][] = [$name, $this->programs->program($when), $percentage];
        }

        return [
            'shape' => $this->shape($flag, $threshold),
            'bits' => ($flag->enabled ? Evaluator::ENABLED : 0) | ($flag->keeps ? Evaluator::KEEP : 0) | ($flag->crc32 ? Evaluator::CRC32 : 0),
            'seed' => Bucket::seed($salt),
            'threshold' => $threshold,
            'by' => $this->programs->attribute($flag->by),
            'variantSeed' => Bucket::seed("$salt:variant"),
            'requires' => self::append($compiled->links, $requires),
            'requiresCount' => \count($requires),
            'needs' => self::append($compiled->links, $needs),
            'needsCount' => \count($needs),
            'rulesCount' => \count($flag->rules),
            'steps' => self::append($compiled->steps, $steps),
            'stepsCount' => \count($steps),
            'variants' => self::append($compiled->variants, $variants),
            'variantsCount' => \count($variants),
            'allow' => $this->companies($flag->allow),
            'deny' => $this->companies($flag->deny),
            'current' => 0,
        ];
    }

    /** Selects the evaluator's shortcut for the flag. */
    private function shape(Flag $flag, int $threshold): int
    {
        $plain = $flag->requires === [] && $flag->rules === [] && $flag->steps === [] && $flag->allow === [] && $flag->deny === [];

        return match (true) {
            !$flag->enabled => Evaluator::SHAPE_OFF,
            $plain && $threshold === Evaluator::FULL => Evaluator::SHAPE_ON,
            $plain && $flag->by === 'company' && !$flag->crc32 => Evaluator::SHAPE_COMPANY_ROLLOUT,
            default => Evaluator::SHAPE_GENERAL,
        };
    }

    /**
     * Collects everything that the flag requires, directly and through others, each once and after its own requirements.
     *
     * @param array<int|string, true> $closure by key
     */
    private function close(int|string $key, array &$closure): void
    {
        foreach ($this->document->flags[$key]->requires as $required) {
            if (!isset($closure[$required])) {
                $this->close($required, $closure);
                $closure[$required] = true;
            }
        }
    }

    /**
     * The context attributes that these flags can read, sorted by name.
     *
     * @param list<int|string> $keys
     * @return list<int>
     */
    private function needs(array $keys): array
    {
        $names = [];
        foreach ($keys as $key) {
            $flag = $this->document->flags[$key];
            $names[$flag->by] = true;
            foreach ($flag->rules as [, $when]) {
                $names += $this->programs->reads($when);
            }
        }
        unset($names['company'], $names['now']);
        \ksort($names, \SORT_STRING);

        return \array_map($this->programs->attribute(...), \array_map('strval', \array_keys($names)));
    }

    /**
     * The variants, each with the sum of the weights up to and including its own.
     *
     * @return list<array{string, int, ?int}>
     */
    private function variants(Flag $flag): array
    {
        [$variants, $upper] = [[], 0];
        foreach ($flag->variants as $name => [$weight, $has, $value]) {
            $upper += $weight;
            $variants[] = [(string) $name, $upper, $has ? self::append($this->compiled->cells, [$value]) : null];
        }

        return $variants;
    }

    /** @param array<int|string, true> $companies */
    private function companies(array $companies): int
    {
        if ($companies === []) {
            return 0;
        }
        $this->compiled->lists[] = $companies;

        return \count($this->compiled->lists) - 1;
    }

    /**
     * Appends entries and returns the number of the first.
     *
     * @template T
     * @param list<T> $table
     * @param list<T> $entries
     */
    private static function append(array &$table, array $entries): int
    {
        $first = \count($table);
        \array_push($table, ...$entries);

        return $first;
    }
}
