<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * A developer's overlay as a merge patch on the document. It changes existing flags and adds none.
 *
 * The overlay's lists of companies are differences to the document's: `allow`, `deny`, and `forget`, which is in neither.
 *
 * @internal
 */
final class OverlayPatch
{
    private const LISTS = ['allow', 'deny', 'forget'];

    public static function over(mixed $document, \stdClass $overlay): \stdClass
    {
        $changes = $overlay->flags ?? null;
        if (!$changes instanceof \stdClass) {
            return $overlay;
        }
        $there = self::flags($document);
        $flags = new \stdClass();
        foreach (\get_object_vars($changes) as $key => $change) {
            $key = (string) $key;
            if (\property_exists($there, $key)) {
                $flags->{$key} = $change instanceof \stdClass ? self::listed($there->{$key}, $change) : $change;
            }
        }
        $patch = clone $overlay;
        $patch->flags = $flags;

        return $patch;
    }

    /** @return list<string> flags of the overlay that the document lacks */
    public static function unknown(mixed $document, \stdClass $overlay): array
    {
        $there = self::flags($document);
        $changes = $overlay->flags ?? null;
        $keys = $changes instanceof \stdClass ? \array_map(\strval(...), \array_keys(\get_object_vars($changes))) : [];

        return \array_values(\array_filter($keys, static fn (string $key): bool => $key !== '$comment' && !\property_exists($there, $key)));
    }

    private static function flags(mixed $document): \stdClass
    {
        $flags = $document instanceof \stdClass ? $document->flags ?? null : null;

        return $flags instanceof \stdClass ? $flags : new \stdClass();
    }

    private static function listed(mixed $flag, \stdClass $change): \stdClass
    {
        $companies = $change->companies ?? null;
        if (!$companies instanceof \stdClass) {
            return $change;
        }
        $said = [];
        foreach (self::LISTS as $list) {
            $said[$list] = self::keys($companies->{$list} ?? []);
            if ($said[$list] === null) {
                // The check of the document reports the mistake.
                return $change;
            }
        }
        $before = $flag instanceof \stdClass && ($flag->companies ?? null) instanceof \stdClass ? $flag->companies : new \stdClass();
        $listed = clone $companies;
        unset($listed->forget);
        foreach (['allow' => 'deny', 'deny' => 'allow'] as $list => $other) {
            $kept = \array_diff_key(self::keys($before->{$list} ?? []) ?? [], $said[$other], $said['forget']);
            $all = \array_values($kept + $said[$list]);
            if ($all !== [] || isset($before->{$list})) {
                $listed->{$list} = $all;
            }
        }
        $patch = clone $change;
        $patch->companies = $listed;

        return $patch;
    }

    /** @return ?array<array-key, int|string> the companies, each once; null if it is no list of them */
    private static function keys(mixed $list): ?array
    {
        if (!\is_array($list)) {
            return null;
        }
        $keys = [];
        foreach ($list as $company) {
            if (!\is_int($company) && !\is_string($company)) {
                return null;
            }
            $keys[$company] ??= $company;
        }

        return $keys;
    }
}
