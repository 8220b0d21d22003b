<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * MergePatch(target, patch) of RFC 7386, on decoded JSON whose objects are stdClass.
 *
 * @internal
 */
final class MergePatch
{
    public static function apply(mixed $target, mixed $patch): mixed
    {
        if (!$patch instanceof \stdClass) {
            return $patch;
        }
        $merged = $target instanceof \stdClass ? clone $target : new \stdClass();
        foreach ($patch as $key => $change) {
            if ($change === null) {
                unset($merged->{$key});
            } else {
                $merged->{$key} = self::apply($merged->{$key} ?? null, $change);
            }
        }

        return $merged;
    }
}
