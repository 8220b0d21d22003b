<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Value;
use stdClass;

/**
 * State of a flag in a few words: `off`, `on`, `10 % + 3 companies + 1 rule, 2 denied`. Companies let in are not named if all are, and
 * a schedule is left aside.
 */
final class State
{
    public static function of(bool|stdClass $flag): string
    {
        $state = self::withoutDenied($flag);
        $denied = $state === 'off' ? 0 : \count(Value::items($flag, 'companies', 'deny'));

        return $state . ($denied === 0 ? '' : ', ' . \number_format($denied) . ' denied');
    }

    public static function withoutDenied(bool|stdClass $flag): string
    {
        if ($flag === false || ($flag instanceof stdClass && ($flag->enabled ?? true) === false)) {
            return 'off';
        }
        if ($flag === true) {
            return 'on';
        }
        $percentage = Value::number($flag, 'rollout', 'percentage') ?? 100;
        $companies = \count(Value::items($flag, 'companies', 'allow'));
        $isFull = $percentage == 100;
        if ($isFull && $companies > 0 && Value::items($flag, 'companies', 'deny') === [] && Value::items($flag, 'rules') === []) {
            return 'on for everybody';
        }
        $parts = [$isFull ? 'on' : "$percentage %"];
        if ($companies > 0 && !$isFull) {
            $parts[] = \number_format($companies) . ($companies === 1 ? ' company' : ' companies');
        }
        $rules = \count(Value::items($flag, 'rules'));
        if ($rules > 0) {
            $parts[] = \number_format($rules) . ($rules === 1 ? ' rule' : ' rules');
        }

        return \implode(' + ', $parts);
    }
}
