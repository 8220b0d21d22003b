<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

/**
 * Keys beside a switch that say for whom it is on, such as checkout_percentage beside checkout. Code goes by both, whatever the value
 * is now, so neither is a flag by itself.
 */
final class Conditions
{
    private const ENDINGS = [
        'a percentage' => '/_(?:percentage|percent|pct|rollout)$/D',
        'a list of companies' => '/_(?:(?:compan(?:y|ies)|tenants?)(?:_list)?|(?:[a-z]+_)?ids|(?:company|tenant|customer|account|organi[sz]ation|team|user)_id'
            . '|(?:allow|deny|block|white|black)_?list)$/D',
    ];

    /**
     * Refuses them, the switches that they are beside, and those beside any other key that is refused.
     *
     * @param array<string, string> $places each key's place in the source
     * @param array<string, mixed> $lists keys that have companies and no switch
     */
    public static function refuse(ImportResult $found, array $places, array $lists): void
    {
        $plain = [];
        foreach (\array_keys($places) as $key) {
            $plain[$key] = self::plain((string) $key);
        }
        foreach (\array_diff_key($places, $found->leftOut) as $key => $place) {
            $what = isset($lists[$key]) ? 'a list of companies' : self::what($plain[$key]);
            $isBeside = static fn (string $other): bool => \str_starts_with($plain[$key], "{$other}_");
            if ($what !== null && \array_filter($plain, $isBeside) !== []) {
                $found->refuse("$place is $what, expected a switch");
                $found->leaveOut((string) $key);
            }
        }
        $refused = \array_intersect_key($plain, $found->leftOut);
        foreach (\array_diff_key($places, $refused) as $key => $place) {
            $about = \array_key_first(\array_filter($refused, static fn (string $other): bool => \str_starts_with($other, "{$plain[$key]}_")));
            if ($about !== null) {
                $found->refuse("$place goes with $places[$about], which cannot be taken over");
                $found->leaveOut((string) $key);
            }
        }
    }

    private static function what(string $key): ?string
    {
        foreach (self::ENDINGS as $what => $ending) {
            if (\preg_match($ending, $key) === 1) {
                return $what;
            }
        }

        return null;
    }

    /** The key in lower case, with _ between its words. */
    private static function plain(string $key): string
    {
        return \strtolower((string) \preg_replace('/(?<=[a-z0-9])(?=[A-Z])|[-. ]/', '_', $key));
    }
}
