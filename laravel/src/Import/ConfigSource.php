<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use RuntimeException;

/**
 * config/features.php: 'x' => true, 'x_test_companies' => '15,42', or 'x' => ['enabled' => …, 'percentage' => …].
 */
final class ConfigSource implements Source
{
    private const FIELDS = [
        'enabled' => 'enabled', 'is_enabled' => 'enabled', 'active' => 'enabled', 'on' => 'enabled',
        'percentage' => 'percentage', 'rollout' => 'percentage', 'rollout_percentage' => 'percentage',
        'companies' => 'companies', 'test_companies' => 'companies', 'pilot_companies' => 'companies',
        'allowed_companies' => 'companies',
        'description' => 'description', 'owner' => 'owner',
    ];

    /** @param mixed $features result of config('features') */
    public function __construct(private readonly mixed $features, private readonly string $lists)
    {
    }

    public function read(): ImportResult
    {
        if (!\is_array($this->features)) {
            throw new RuntimeException('config/features.php is not there, or gives no array');
        }
        $found = new ImportResult();
        [$entries, $lists] = $this->entries($found);
        foreach ($entries as $key => $fields) {
            $this->take($found, (string) $key, $fields);
        }
        $places = [];
        foreach (\array_keys($entries) as $key) {
            $places[$key] = "features.$key";
        }
        Conditions::refuse($found, $places, \array_filter($lists, static fn (string $key): bool => !\array_key_exists('enabled', $entries[$key]), \ARRAY_FILTER_USE_KEY));

        return $found->settle();
    }

    /** @return array{array<string, array<string, mixed>>, array<string, true>} the fields of each flag, and those that have a list beside them */
    private function entries(ImportResult $found): array
    {
        $entries = $lists = [];
        foreach (\is_array($this->features) ? $this->features : [] as $key => $value) {
            $key = (string) $key;
            $fields = \is_array($value) ? $value : ['enabled' => $value];
            if (\preg_match('/^.+_(?:test|pilot)_companies$/D', $key) === 1) {
                $fields = [\substr($key, (int) \strrpos($key, '_', -\strlen('_companies') - 1) + 1) => $value];
                $key = (string) \preg_replace('/_(?:test|pilot)_companies$/D', '', $key);
                $lists[$key] = true;
            }
            if ($fields === []) {
                $found->refuse("features.$key says nothing, expected true, false or fields");
            }
            foreach ($fields as $name => $field) {
                $meaning = self::FIELDS[$name] ?? null;
                if ($meaning === null) {
                    $known = \implode(', ', \array_keys(self::FIELDS));
                    $found->refuse("features.$key.$name is unknown, expected $known");
                    $found->leaveOut($key);
                } elseif (\array_key_exists($meaning, $entries[$key] ?? [])) {
                    $found->refuse("features.$key: $meaning is there twice, the second time as $name");
                    $found->leaveOut($key);
                }
                $entries[$key][$meaning ?? ''] = $field;
            }
        }

        return [$entries, $lists];
    }

    /** @param array<string, mixed> $fields */
    private function take(ImportResult $found, string $key, array $fields): void
    {
        // A null value is off, as in code, and not a percentage.
        $on = Values::bool(\array_key_exists('enabled', $fields) ? $fields['enabled'] : \array_key_exists('percentage', $fields));
        $companies = \array_key_exists('companies', $fields) ? Values::companies($fields['companies']) : [];
        $hasPercentage = \array_key_exists('percentage', $fields);
        $percentage = $hasPercentage ? Values::percentage($fields['percentage']) : null;
        foreach (
            [
                'enabled' => $on === null ? 'true or false' : null,
                'companies' => $companies === null ? 'companies\' ids' : null,
                'percentage' => $hasPercentage && $percentage === null ? 'a number from 0 to 100' : null,
            ] as $field => $expected
        ) {
            if ($expected !== null) {
                $found->refuse("features.$key: $field is " . Values::shown($fields[$field]) . ", expected $expected");
                $found->leaveOut($key);

                return;
            }
        }
        $flag = $found->flag($key, 'config/features.php');
        $flag->description = \is_string($fields['description'] ?? null) ? $fields['description'] : null;
        $flag->owner = \is_string($fields['owner'] ?? null) ? $fields['owner'] : null;
        Pilots::set($flag, $on, \array_key_exists('companies', $fields) ? $companies : null, $this->lists, $percentage);
    }
}
