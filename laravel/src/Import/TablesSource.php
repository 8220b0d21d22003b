<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Value;
use Illuminate\Database\Connection;
use RuntimeException;

/**
 * The tables feature_flags and feature_flag_overrides of a service written by hand: an override decides; else a flag
 * that is off is off; else `crc32($company) % 100 < $percentage`. Nobody's answer changes.
 */
final class TablesSource implements Source
{
    private const FLAG = [
        'key' => ['key', 'name', 'flag', 'slug', 'feature', 'code'],
        'enabled' => ['enabled', 'is_enabled', 'active', 'is_active'],
        'percentage' => ['percentage', 'rollout_percentage', 'rollout'],
        'description' => ['description'],
        'owner' => ['owner'],
    ];
    private const OVERRIDE = [
        'id' => ['feature_flag_id', 'flag_id', 'feature_id'],
        'flag' => [
            'feature_flag', 'feature_flag_key', 'flag_key', 'flag_name', 'feature_key', 'flag', 'feature', 'key',
            'name',
        ],
        'company' => ['company_id', 'company', 'tenant_id', 'tenant'],
        'enabled' => ['enabled', 'is_enabled', 'active', 'is_active', 'value'],
    ];
    /** Columns that decide nothing. */
    private const IDLE = [
        'id', 'created_at', 'updated_at', 'created_by', 'updated_by', 'reason', 'note', 'notes', 'comment',
    ];

    public function __construct(
        private readonly Connection $connection,
        private readonly string $flags,
        private readonly string $overrides,
    ) {
    }

    public function read(): Found
    {
        $found = new Found();
        $keys = $this->flags($found);
        $this->overrides($found, $keys);
        foreach ($found->flags as $flag) {
            $this->settle($flag);
        }

        return $found;
    }

    /** @return array<int|string, string> the flags' keys by id */
    private function flags(Found $found): array
    {
        $columns = $this->columns($found, $this->flags, self::FLAG, ['key', 'enabled']);
        $keys = [];
        foreach ($this->connection->table($this->flags)->get() as $row) {
            $key = Value::word($row, $columns['key'] ?? '') ?? '';
            $on = Values::bool(Value::at($row, $columns['enabled'] ?? ''));
            $percentage = Value::at($row, $columns['percentage'] ?? '');
            $part = $percentage === null ? null : Values::percentage($percentage);
            if ($on === null || ($percentage !== null && $part === null) || isset($found->flags[$key])) {
                $found->refuse("$this->flags: $key cannot be read, or is there twice: " . Values::shown($row));
                continue;
            }
            $flag = $found->flag($key, $this->flags);
            $flag->enabled = $on;
            $flag->percentage = $part;
            $flag->crc32 = $part !== null;
            $flag->description = Value::text($row, $columns['description'] ?? '');
            $flag->owner = Value::text($row, $columns['owner'] ?? '');
            $keys[Value::word($row, 'id') ?? $key] = $key;
        }

        return $keys;
    }

    /** @param array<int|string, string> $keys */
    private function overrides(Found $found, array $keys): void
    {
        if (!$this->connection->getSchemaBuilder()->hasTable($this->overrides)) {
            return;
        }
        $columns = $this->columns($found, $this->overrides, self::OVERRIDE, ['company', 'enabled']);
        if (!isset($columns['id']) && !isset($columns['flag'])) {
            throw new RuntimeException("$this->overrides: found no column that names the flag, expected one of "
                . \implode(', ', [...self::OVERRIDE['id'], ...self::OVERRIDE['flag']]));
        }
        $lists = [];
        foreach ($this->connection->table($this->overrides)->get() as $row) {
            $named = Value::word($row, $columns['id'] ?? $columns['flag'] ?? '') ?? '';
            $key = isset($columns['id']) ? $keys[$named] ?? null : $named;
            $on = Values::bool(Value::at($row, $columns['enabled'] ?? ''));
            $company = Value::word($row, $columns['company'] ?? '');
            if ($key === null || !isset($found->flags[$key])) {
                $found->refuse("$this->overrides: overrides of a flag that is not in $this->flags");
            } elseif ($on === null || $company === null || $company === '' || isset($lists[$key][$company])) {
                $which = "$key for company " . Values::shown($company);
                $found->refuse("$this->overrides: $which cannot be read, or is there twice");
            } else {
                $lists[$key][$company] = $on;
            }
        }
        foreach ($lists as $key => $companies) {
            $found->flags[$key]->allow = \array_keys($companies, true, true);
            $found->flags[$key]->deny = \array_keys($companies, false, true);
        }
    }

    /** An override lets a company in although the flag is off. */
    private function settle(Flag $flag): void
    {
        if ($flag->crc32) {
            $flag->notes[] = 'drawn by crc32($company) % 100, as now';
        }
        if ($flag->enabled === false && $flag->allow !== []) {
            $flag->enabled = true;
            $was = $flag->percentage;
            $flag->percentage = 0;
            $flag->crc32 = true;
            $left = $was === null || $was == 0 ? '' : " (the table has $was %)";
            $flag->notes[] = "off but for its overrides: on at 0 %$left";
        }
    }

    /**
     * @param array<string, list<string>> $known
     * @param list<string> $needed
     * @return array<string, string> the table's columns by what they mean
     */
    private function columns(Found $found, string $table, array $known, array $needed): array
    {
        $schema = $this->connection->getSchemaBuilder();
        if (!$schema->hasTable($table)) {
            throw new RuntimeException("there is no table $table in the database {$this->connection->getName()}");
        }
        $there = \array_filter($schema->getColumnListing($table), is_string(...));
        $columns = [];
        foreach ($known as $meaning => $names) {
            $named = \array_values(\array_intersect($names, $there));
            if ($named !== []) {
                $columns[$meaning] = $named[0];
            } elseif (\in_array($meaning, $needed, true)) {
                throw new RuntimeException(\sprintf(
                    '%s: found the columns %s, expected one of %s for the %s',
                    $table,
                    \implode(', ', $there),
                    \implode(', ', $names),
                    $meaning,
                ));
            }
        }
        foreach (\array_diff($there, $columns, self::IDLE) as $column) {
            if ($this->connection->table($table)->whereNotNull($column)->exists()) {
                $found->refuse("$table.$column holds something that is not understood");
            }
        }

        return $columns;
    }
}
