<?php

declare(strict_types=1);

/**
 * What one side answers, and a tally of what was met.
 */
final class Answers
{
    public array $tally = [];

    public function to(string $flag, int|string|null $company, array $context): array
    {
        $explained = feature_explain($flag, $company, $context);
        $reason = $explained['reason'];
        $this->count("reason $reason");
        if (str_starts_with($flag, 'op.') && $explained['percentage'] !== null) {
            $matched = $explained['rule'] === 'op:' . substr($flag, 3);
            $this->count(substr($flag, 3) . ($matched ? ' holds' : ' does not hold'));
        }
        if ($explained['bucket'] !== null) {
            $this->count(is_int($explained['company']) ? 'bucket of an int' : 'bucket of another company');
        }
        foreach ($explained['unknown'] as $unknown) {
            $this->count('unknown: ' . preg_replace('/ of .*/s', '', $unknown['type']) . ', expected ' . $unknown['expected']);
        }
        $value = feature_value($flag, $company, $context, 'the default');
        $this->count($explained['variant'] === null ? 'no variant' : 'variant ' . (is_array($value) ? 'array' : 'other'));

        return [feature_enabled($flag, $company, $context), $explained, feature_variant($flag, $company, $context), $value, feature_value($flag, $company, $context)];
    }

    /** Everything that is not asked a million times. */
    public function further(Questions $questions): array
    {
        [$flag, $company, $context] = $questions->next();
        $companies = ['x' => $questions->company(), '7' => 7, "\xff" => 1, '' => 2, -5 => 'acme-eu'];
        for ($i = 0; $i < 10; ++$i) {
            $companies[] = $questions->company();
        }
        $answers = [
            'needs' => feature_needs($flag),
            'possible' => array_map('feature_possible', $questions->flags),
            'all' => feature_all($company, $context),
            'filter' => feature_filter($flag, $companies, $context),
        ];
        $told = [];
        for ($i = mt_rand(0, 4); $i > 0; --$i) {
            $choice = Pools::pick([true, false, 'variant-1', 'variant-9']);
            $told[$questions->flag()] = Pools::chance(50) ? $choice : [1 => $choice, 'acme-eu' => true, (string) $questions->company() => false];
        }
        $told[$flag] = Pools::pick([true, false, 'variant-1', 'variant-2', [$company ?? 1 => 'variant-1'], [1 => false]]);
        flagstone_override($told, Pools::pick([null, true, false]));
        $answers['told'] = $this->to($flag, $company, $context);
        $answers['told, another'] = $this->to($questions->flag(), $company, $context);
        $answers['told, possible'] = [feature_possible($flag), feature_possible('unknown')];
        $answers['told, all'] = feature_all($company, $context);
        $answers['told, filter'] = feature_filter($flag, $companies, $context);
        // Flags that only the override names come in no order.
        ksort($answers['told, all'], SORT_STRING);
        flagstone_override(null);

        return $answers;
    }

    private function count(string $what): void
    {
        $this->tally[$what] = ($this->tally[$what] ?? 0) + 1;
    }
}
