<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Rules;

use Flagstone\Laravel\Flagstone;
use Illuminate\Container\Container;
use Illuminate\Contracts\Validation\Factory;
use InvalidArgumentException;

/**
 * The validation rule "feature".
 *
 * @internal
 */
final class FeatureRule
{
    /** Message of a prohibited field: the flag's name stays secret. */
    private const MESSAGE = 'The :attribute field is prohibited.';

    public function register(Factory $validator): void
    {
        $validator->extend('feature', self::passes(...), self::MESSAGE);
    }

    /** @param list<string> $flags */
    private static function passes(string $attribute, mixed $value, array $flags): bool
    {
        if ($flags === []) {
            throw new InvalidArgumentException('The rule "feature" names no flag: write feature:xlsx_export');
        }
        $flagstone = Container::getInstance()->make(Flagstone::class);
        foreach ($flags as $flag) {
            if (!$flagstone->enabled($flag)) {
                return false;
            }
        }

        return true;
    }
}
