<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * Conditions within a condition that is valid.
 *
 * @internal
 */
final class NestedConditions
{
    /** @return list<\stdClass> those of `all`, `any` or `not` */
    public static function of(\stdClass $condition): array
    {
        $parts = [];
        foreach (self::listed($condition->all ?? $condition->any ?? [$condition->not ?? null]) as $part) {
            if ($part instanceof \stdClass) {
                $parts[] = $part;
            }
        }

        return $parts;
    }

    /** @return array<array-key, mixed> */
    private static function listed(mixed $parts): array
    {
        return \is_array($parts) ? $parts : [];
    }
}
