<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Value;
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
        $percentage = Value::number($flag, 'rollout', 'percentage') ?? 100;
        $parts = [$percentage == 100 ? 'on' : "$percentage %"];
        $companies = \count(Value::items($flag, 'companies', 'allow'));
        if ($companies > 0) {
            $parts[] = \number_format($companies) . ($companies === 1 ? ' company' : ' companies');
        }
        $rules = \count(Value::items($flag, 'rules'));
        if ($rules > 0) {
            $parts[] = \number_format($rules) . ($rules === 1 ? ' rule' : ' rules');
        }

        return \implode(' + ', $parts);
    }
}
