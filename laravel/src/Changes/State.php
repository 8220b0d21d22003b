<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use stdClass;

/**
 * What a flag says, in a few words: `off`, `on`, `10 % + 3 companies + 1 rule`. A schedule is left aside.
 */
final class State
{
    public static function of(bool|stdClass $flag): string
    {
        if ($flag === false || ($flag instanceof stdClass && ($flag->enabled ?? true) === false)) {
            return 'off';
        }
        if ($flag === true) {
            return 'on';
        }
        $percentage = $flag->rollout->percentage ?? 100;
        $parts = [$percentage == 100 ? 'on' : "$percentage %"];
        foreach ([['company', 'companies', $flag->companies->allow ?? []], ['rule', 'rules', $flag->rules ?? []]] as $part) {
            $count = \count($part[2]);
            if ($count > 0) {
                $parts[] = \number_format($count) . ' ' . ($count === 1 ? $part[0] : $part[1]);
            }
        }

        return \implode(' + ', $parts);
    }
}
