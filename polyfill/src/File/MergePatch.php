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
    /** Applies a patch; one that is no object replaces the target. */
    private static function apply(mixed $target, mixed $patch): mixed
    {
        return $patch instanceof \stdClass ? self::to($target, $patch) : $patch;
    }

    public static function to(mixed $target, \stdClass $patch): \stdClass
    {
        $merged = $target instanceof \stdClass ? clone $target : new \stdClass();
        foreach (\get_object_vars($patch) as $key => $change) {
            $key = (string) $key;
            if ($change === null) {
                unset($merged->{$key});
            } else {
                $merged->{$key} = self::apply($merged->{$key} ?? null, $change);
            }
        }

        return $merged;
    }
}
