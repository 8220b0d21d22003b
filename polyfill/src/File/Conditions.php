<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

use Flagstone\Polyfill\Semver;

/**
 * Reads conditions: reports their mistakes, and notes the segments that they name.
 *
 * @internal
 */
final class Conditions
{
    public const FORMS = ['all', 'any', 'not', 'segment', 'attribute'];
    public const OPERATORS = ['in', 'not_in', 'eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'starts_with', 'ends_with', 'contains',
        'exists', 'before', 'after', 'semver_eq', 'semver_lt', 'semver_lte', 'semver_gt', 'semver_gte'];

    private const EXPECTED = 'a condition, an object with all, any, not, segment, or attribute and a comparison';
    private const ATTRIBUTE = 'an attribute\'s name: 1 to 64 letters, digits, _ . or -, a letter or _ first';
    private const SEVERAL = 'several conditions are written { "all": [ … ] }';

    public function __construct(private readonly FieldReader $read, private readonly References $references)
    {
    }

    /** @param list<int|string> $path */
    public function condition(mixed $value, array $path): void
    {
        $fields = $this->read->fields($value, $path, [...self::FORMS, ...self::OPERATORS], self::EXPECTED);
        if ($fields === null) {
            return;
        }
        $operators = \array_values(\array_intersect(self::OPERATORS, \array_keys($fields)));
        $forms = \array_values(\array_intersect(self::FORMS, \array_keys($fields)));
        if ($forms === ['attribute'] && \count($operators) === 1) {
            $this->test($fields['attribute'], $operators[0], $fields[$operators[0]], $path);
        } elseif ($forms === ['attribute'] && $operators === []) {
            $this->read->findings->error($path, 'found no comparison, expected one of ' . \implode(', ', self::OPERATORS));
        } elseif ($forms === ['attribute']) {
            $this->read->findings->error($path, 'found ' . \implode(', ', $operators) . ', expected one comparison', self::SEVERAL);
        } elseif ($forms === [] && $operators !== []) {
            $this->read->missing($path, 'attribute', 'the attribute that is compared');
        } elseif ($forms === []) {
            $this->read->mismatch($value, $path, self::EXPECTED);
        } elseif (\count($fields) > 1) {
            $this->read->findings->error($path, 'found ' . \implode(', ', [...$forms, ...$operators]) . ', expected one of them', self::SEVERAL);
        } else {
            $this->form($forms[0], $fields[$forms[0]], [...$path, $forms[0]]);
        }
    }

    /** @param list<int|string> $path */
    public function attribute(mixed $value, array $path): ?string
    {
        $name = $this->read->string($value, $path, 'an attribute\'s name, a string');
        if ($name !== null && !Spelling::isName($name, 64, Spelling::LETTERS . '_', Spelling::ALPHANUMERIC . '_.-')) {
            $this->read->mismatch($name, $path, self::ATTRIBUTE);

            return null;
        }

        return $name;
    }

    /** @param list<int|string> $path */
    private function form(string $form, mixed $value, array $path): void
    {
        if ($form === 'not') {
            $this->condition($value, $path);
        } elseif ($form === 'segment') {
            $name = $this->read->name($value, $path, 'segment name');
            if ($name !== null) {
                $this->references->uses($name, $path);
            }
        } else {
            foreach ($this->read->items($value, $path, 'a list of conditions') ?? [] as $number => $part) {
                $this->condition($part, [...$path, $number]);
            }
        }
    }

    /** @param list<int|string> $path */
    private function test(mixed $attribute, string $operator, mixed $operand, array $path): void
    {
        $name = $this->attribute($attribute, [...$path, 'attribute']);
        $at = [...$path, $operator];
        switch ($operator) {
            case 'in':
            case 'not_in':
                foreach ($this->read->items($operand, $at, 'a list of booleans, numbers and strings') ?? [] as $number => $scalar) {
                    $this->scalar($scalar, [...$at, $number], 'a boolean, a number or a string');
                }
                break;
            case 'eq':
            case 'ne':
                $this->scalar($operand, $at, 'a boolean, a number or a string');
                break;
            case 'lt':
            case 'lte':
            case 'gt':
            case 'gte':
                $this->scalar(\is_bool($operand) ? null : $operand, $at, 'a number or a string');
                break;
            case 'exists':
                $this->read->boolean($operand, $at);
                break;
            case 'before':
            case 'after':
                $this->read->time($operand, $at);
                break;
            case 'starts_with':
            case 'ends_with':
            case 'contains':
                $this->read->text($operand, $at);
                break;
            default:
                $this->version($operand, $at);
        }
        if ($name === 'now' && $operator !== 'before' && $operator !== 'after') {
            $this->read->findings->error($at, "found $operator on \"now\", expected before or after");
        }
    }

    /** @param list<int|string> $path */
    private function scalar(mixed $value, array $path, string $expected): void
    {
        if (\is_string($value)) {
            $this->read->text($value, $path);
        } elseif (!\is_scalar($value)) {
            $this->read->mismatch($value, $path, $expected);
        } elseif (\is_float($value) && !\is_finite($value)) {
            $this->read->findings->error($path, 'found a number that is too large, expected one below 1.8e308');
        }
    }

    /** @param list<int|string> $path */
    private function version(mixed $value, array $path): void
    {
        $text = $this->read->text($value, $path);
        if ($text !== null && Semver::compare($text, $text) === null) {
            $bare = \ltrim($text, 'vV=');
            $hint = $bare !== $text && Semver::compare($bare, $bare) !== null ? "did you mean \"$bare\"?" : null;
            $this->read->mismatch($text, $path, 'a version (SemVer 2.0.0), such as "2.1.0"', $hint);
        }
    }
}
