<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Changes\CompanyText;

/**
 * Joint meaning of a switch and a list of companies beside it. Hand-written code differs:
 *
 * `only`: the switch lets in the listed companies, none if the list is empty, and all if there is no list; off is off.
 * `also`: the switch lets in all companies; the listed ones are in before that.
 */
final class Pilots
{
    public const RULES = ['only', 'also'];

    /**
     * @param ?list<int|string> $companies null: there is no list
     * @param int|float|null $percentage of those whom the switch lets in; null: the source has none
     */
    public static function set(Flag $flag, ?bool $on, ?array $companies, string $rule, int|float|null $percentage = null): void
    {
        $flag->enabled = $on ?? $flag->enabled;
        $flag->percentage = $percentage;
        $flag->allow = $companies ?? [];
        \array_push($flag->notes, ...CompanyText::zeros($flag->allow));
        if ($percentage !== null) {
            $flag->crc32 = true;
            $flag->notes[] = 'drawn by crc32($company) % 100, as code written by hand does';
        }
        if ($companies === null || $companies === [] && ($rule === 'also' || $percentage !== null)) {
            return;
        }
        if ($companies === []) {
            $flag->percentage = 0;
            $flag->notes[] = 'the list is empty: a pilot for nobody; with --lists=also it would be on for everybody';

            return;
        }
        if ($rule === 'also') {
            $flag->enabled = true;
            $flag->percentage = $on === true ? $percentage ?? 100 : 0;
            $flag->notes[] = 'the list lets companies in besides the switch' . ($on === true ? '' : ', which is off: on at 0 %');

            return;
        }
        $flag->percentage ??= 0;
        if ($on !== true) {
            $flag->notes[] = 'off; the list waits for it. With --lists=also these would be in';
        } elseif ($percentage === null) {
            $flag->notes[] = 'the list is a pilot: on for these only; with --lists=also it would be on for everybody';
        }
    }
}
