<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\Company;
use Flagstone\Polyfill\Time;

/**
 * Reads flags. A problem is reported and reading goes on, so that all problems are found.
 *
 * @internal
 */
final class Flags
{
    private const KEYS = ['description', 'owner', 'enabled', 'rollout', 'companies', 'requires', 'rules', 'schedule', 'variants', 'emergency', 'expires', 'plan', 'guard', 'managed', 'was'];
    private const RULES = 1000;
    private const VALUE_NESTING = 32;

    public function __construct(
        private readonly FieldReader $read,
        private readonly Conditions $conditions,
        private readonly References $references,
    ) {
    }

    /** @param list<int|string> $path */
    public function flag(string $key, mixed $value, array $path): Flag
    {
        $flag = new Flag();
        if (\is_bool($value)) {
            $flag->enabled = $value;

            return $flag;
        }
        $problems = $this->read->findings->count();
        $fields = $this->read->fields($value, $path, self::KEYS, 'a flag: true, false or an object') ?? [];
        foreach ($fields as $name => $field) {
            $this->field($flag, $key, $name, $field, [...$path, $name]);
        }
        // An incomplete flag would be blamed for fields that could not be read.
        if ($this->read->findings->count() === $problems) {
            $this->whole($flag, $key, $path);
        }

        return $flag;
    }

    /** @param list<int|string> $path */
    private function field(Flag $flag, string $key, string $name, mixed $value, array $path): void
    {
        switch ($name) {
            case 'description':
            case 'owner':
                $this->read->string($value, $path, 'a string');
                break;
            case 'enabled':
                $flag->enabled = $this->read->boolean($value, $path) ?? true;
                break;
            case 'rollout':
                $this->rollout($flag, $value, $path);
                break;
            case 'companies':
                foreach ($this->read->fields($value, $path, ['allow', 'deny'], 'an object with "allow" or "deny"') ?? [] as $list => $ids) {
                    $flag->{$list} = $this->companies($ids, [...$path, $list]);
                }
                break;
            case 'requires':
                foreach ($this->read->items($value, $path, 'a list of flag keys') ?? [] as $number => $required) {
                    $required = $this->read->string($required, [...$path, $number], 'a flag\'s key, a string');
                    if ($required !== null && !\in_array($required, $flag->requires, true)) {
                        $flag->requires[] = $required;
                        $this->references->requires($key, $required, [...$path, $number]);
                    }
                }
                break;
            case 'rules':
                $this->rules($flag, $value, $path);
                break;
            case 'schedule':
                $this->schedule($flag, $value, $path);
                break;
            case 'variants':
                $this->variants($flag, $value, $path);
                break;
            case 'emergency':
                $flag->keeps = $this->read->choice($value, $path, ['off', 'keep']) === 'keep';
                break;
            case 'plan':
                // A store's flag is answered by its stages; a file's answers as before the plan was started.
                $flag->planned = true;
                (new Plans($this->read, $this->companies(...)))->plan($value, $path);
                break;
            case 'guard':
                (new Guards($this->read))->guard($value, $path);
                break;
            case 'managed':
                $this->read->choice($value, $path, ['operations', 'git']);
                break;
            case 'was':
                $expected = 'the key that the flag had, a string';
                $was = $this->read->string($value, $path, $expected);
                if ($was !== null && !Document::isKey($was)) {
                    $this->read->mismatch($was, $path, $expected);
                } elseif ($was !== null) {
                    $flag->was = $was;
                    $this->references->was($key, $was, $path);
                }
                break;
            case 'expires':
                $day = $this->read->string($value, $path, 'a day as YYYY-MM-DD');
                if ($day !== null && (\strlen($day) !== 10 || Time::parse("{$day}T00:00:00Z") === null)) {
                    $this->read->mismatch($day, $path, 'a day as YYYY-MM-DD');
                }
        }
    }

    /** @param list<int|string> $path */
    private function rollout(Flag $flag, mixed $value, array $path): void
    {
        $fields = $this->read->fields($value, $path, ['percentage', 'by', 'salt', 'bucketing'], 'an object with "percentage"');
        if ($fields === null) {
            return;
        }
        if (!\array_key_exists('percentage', $fields)) {
            $this->read->missing($path, 'percentage', FieldReader::PERCENTAGE);
        }
        foreach ($fields as $name => $field) {
            $at = [...$path, $name];
            if ($name === 'percentage') {
                $flag->percentage = $this->read->percentage($field, $at);
            } elseif ($name === 'by') {
                $flag->by = $this->conditions->attribute($field, $at) ?? 'company';
                if ($flag->by === 'now') {
                    $this->read->mismatch('now', $at, '"company" or a context attribute');
                }
            } elseif ($name === 'salt') {
                $flag->salt = $this->read->name($field, $at, 'salt');
            } else {
                $flag->crc32 = $this->read->choice($field, $at, ['xxh3', 'crc32']) === 'crc32';
            }
        }
    }

    /**
     * @return array<int|string, true>
     * @param list<int|string> $path
     */
    private function companies(mixed $value, array $path): array
    {
        $companies = [];
        foreach ($this->read->items($value, $path, 'a list of companies\' ids') ?? [] as $number => $id) {
            $company = \is_string($id) ? Company::normal($id) : (\is_int($id) ? $id : null);
            if ($company === null) {
                $this->read->mismatch($id, [...$path, $number], 'a company\'s id: an integer, or a string of 1 to 1024 bytes');
            } else {
                $companies[$company] = true;
            }
        }

        return $companies;
    }

    /** @param list<int|string> $path */
    private function rules(Flag $flag, mixed $value, array $path): void
    {
        $items = $this->read->items($value, $path, 'a list of rules') ?? [];
        if (\count($items) > self::RULES) {
            $this->read->findings->error($path, 'found ' . \count($items) . ' rules, expected at most ' . self::RULES);
        }
        foreach ($items as $number => $item) {
            $at = [...$path, $number];
            $fields = $this->read->fields($item, $at, ['name', 'when', 'percentage'], 'a rule, an object with "when"');
            if ($fields === null) {
                continue;
            }
            $name = \array_key_exists('name', $fields) ? $this->read->name($fields['name'], [...$at, 'name'], 'rule name') : null;
            if (\array_key_exists('when', $fields)) {
                $this->conditions->condition($fields['when'], [...$at, 'when']);
            } else {
                $this->read->missing($at, 'when', 'the condition on which the rule decides');
            }
            $percentage = \array_key_exists('percentage', $fields) ? $this->read->percentage($fields['percentage'], [...$at, 'percentage']) : 100_000;
            $when = $fields['when'] ?? null;
            // A condition that is not an object is reported, and never evaluated.
            $flag->rules[] = [$name, $when instanceof \stdClass ? $when : new \stdClass(), $percentage ?? 0];
        }
    }

    /** @param list<int|string> $path */
    private function schedule(Flag $flag, mixed $value, array $path): void
    {
        $expected = 'a step, an object with "at" and "percentage"';
        foreach ($this->read->items($value, $path, 'a list of steps') ?? [] as $number => $step) {
            $at = [...$path, $number];
            $fields = $this->read->fields($step, $at, ['at', 'percentage'], $expected);
            if ($fields === null) {
                continue;
            }
            foreach (['at', 'percentage'] as $name) {
                if (!\array_key_exists($name, $fields)) {
                    $this->read->missing($at, $name, $expected);
                    continue 2;
                }
            }
            $time = $this->read->time($fields['at'], [...$at, 'at']);
            $percentage = $this->read->percentage($fields['percentage'], [...$at, 'percentage']);
            if ($time !== null && isset($flag->steps[$time])) {
                $this->read->findings->error([...$at, 'at'], "found a second step at one instant, \"{$fields['at']}\"");
            }
            $flag->steps[$time ?? 0] = $percentage ?? 0;
        }
        \ksort($flag->steps);
    }

    /** @param list<int|string> $path */
    private function variants(Flag $flag, mixed $value, array $path): void
    {
        foreach ($this->read->entries($value, $path, 'an object of variants by name') as $name => $variant) {
            $at = [...$path, $name];
            $this->read->isName((string) $name, $at, 'variant name');
            $fields = $this->read->fields($variant, $at, ['weight', 'value'], 'a variant, an object with "weight"');
            if ($fields === null) {
                continue;
            }
            if (!\array_key_exists('weight', $fields)) {
                $this->read->missing($at, 'weight', FieldReader::PERCENTAGE);
                continue;
            }
            $weight = $this->read->percentage($fields['weight'], [...$at, 'weight']);
            $has = \array_key_exists('value', $fields);
            $flag->variants[$name] = [$weight ?? 0, $has, $has ? $this->value($fields['value'], [...$at, 'value']) : null];
        }
        \ksort($flag->variants, \SORT_STRING);
    }

    /**
     * Reads a value in the form that `feature_value()` returns.
     *
     * @param list<int|string> $path
     */
    private function value(mixed $value, array $path, int $depth = 0): mixed
    {
        if (\is_float($value) && !\is_finite($value)) {
            $this->read->findings->error($path, 'found a number that is too large, expected one below 1.8e308');
        }
        if (\is_scalar($value) || $value === null) {
            return $value;
        }
        if ($depth === self::VALUE_NESTING) {
            $this->read->findings->error($path, 'found a value that nests deeper than ' . self::VALUE_NESTING);

            return null;
        }
        $items = [];
        $members = $value instanceof \stdClass ? (array) $value : $value;
        foreach (\is_array($members) ? $members : [] as $name => $item) {
            $items[$name] = $this->value($item, [...$path, $name], $depth + 1);
        }
        if (\is_object($value)) {
            \ksort($items, \SORT_STRING);
        }

        return $items;
    }

    /**
     * Reports contradictions between parts of a flag that are each sound.
     *
     * @param list<int|string> $path
     */
    private function whole(Flag $flag, string $key, array $path): void
    {
        $says = [];
        if ($flag->allow !== []) {
            $says[] = 'allows ' . (\count($flag->allow) === 1 ? '1 company' : \count($flag->allow) . ' companies');
        }
        if ($flag->rules !== []) {
            $says[] = 'has ' . (\count($flag->rules) === 1 ? '1 rule' : \count($flag->rules) . ' rules');
        }
        if ($flag->steps !== []) {
            $says[] = 'has a schedule';
        }
        if ($flag->planned) {
            $says[] = 'has a plan';
        }
        if ($says !== [] && $flag->percentage === null) {
            $rest = \count($says) === 1 && ($flag->steps !== [] || $flag->planned) ? 'what holds before it' : 'what the others get';
            $message = "$key " . \implode(' and ', $says) . " but does not say $rest";
            $this->read->findings->error($path, $message, 'add "rollout": {"percentage": 0} for a pilot, or 100');
        }
        foreach (\array_intersect_key($flag->deny, $flag->allow) as $company => $_) {
            $message = 'company ' . Findings::clip((string) $company) . ' is both allowed and denied';
            $this->read->findings->error([...$path, 'companies', 'deny'], $message, 'keep it in one of the two lists');
        }
        $weights = \array_values(\array_map(
            /** @param array{int, bool, mixed} $variant */
            static fn (array $variant): int => $variant[0],
            $flag->variants,
        ));
        if ($weights !== [] && \array_sum($weights) !== 100_000) {
            $written = \implode(' + ', \array_map(static fn (int $weight): string => (string) ($weight / 1000), $weights));
            $message = 'found weights of ' . Findings::clip($written) . ' = ' . \array_sum($weights) / 1000 . ', expected them to add up to 100';
            $this->read->findings->error([...$path, 'variants'], $message);
        }
    }
}
