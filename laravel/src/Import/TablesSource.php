<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Changes\CompanyText;
use Flagstone\Laravel\Value;
use Illuminate\Database\Connection;
use RuntimeException;

/**
 * The tables feature_flags and feature_flag_overrides of a hand-written service: an override decides; else a flag that is off
 * is off; else `crc32($company) % 100 < $percentage`. No company's answer changes. Deleted rows (`deleted_at`) and expired
 * overrides count as absent; a flag with any part that is not understood is left out as a whole.
 */
final class TablesSource implements Source
{
    private const FLAG = [
        'key' => ['key', 'name', 'flag', 'slug', 'feature', 'code'],
        'enabled' => ['enabled', 'is_enabled', 'active', 'is_active'],
        'percentage' => ['percentage', 'rollout_percentage', 'rollout'],
        'description' => ['description'],
        'owner' => ['owner'],
        'deleted' => ['deleted_at'],
    ];
    private const OVERRIDE = [
        'id' => ['feature_flag_id', 'flag_id', 'feature_id'],
        'flag' => [
            'feature_flag', 'feature_flag_key', 'flag_key', 'flag_name', 'feature_key', 'flag', 'feature', 'key',
            'name',
        ],
        'company' => ['company_id', 'company', 'tenant_id', 'tenant'],
        'enabled' => ['enabled', 'is_enabled', 'active', 'is_active', 'value'],
        'deleted' => ['deleted_at'],
        'ends' => ['expires_at', 'expired_at', 'ends_at', 'valid_until'],
    ];
    /** Columns that do not affect answers. */
    private const IDLE = [
        'id', 'created_at', 'updated_at', 'created_by', 'updated_by', 'reason', 'note', 'notes', 'comment',
    ];

    public function __construct(
        private readonly Connection $connection,
        private readonly string $flags,
        private readonly string $overrides,
    ) {
    }

    public function read(): ImportResult
    {
        $found = new ImportResult();
        [$keys, $deleted] = $this->flags($found);
        $this->overrides($found, $keys, $deleted);
        $found->settle();
        foreach ($found->flags as $flag) {
            $this->settle($flag);
        }

        return $found;
    }

    /** @return array{array<int|string, string>, array<int|string, true>} the flags' keys by id; the ids and keys of deleted rows */
    private function flags(ImportResult $found): array
    {
        [$columns, $strange] = $this->columns($this->flags, self::FLAG, ['key', 'enabled']);
        $keys = $deleted = [];
        foreach ($this->connection->table($this->flags)->get() as $row) {
            $key = Value::word($row, $columns['key'] ?? '') ?? '';
            if (Value::at($row, $columns['deleted'] ?? '') !== null) {
                $deleted['id ' . Value::word($row, 'id')] = $deleted[$key] = true;
                continue;
            }
            $keys[Value::word($row, 'id') ?? $key] = $key;
            $on = Values::bool(Value::at($row, $columns['enabled'] ?? ''));
            $percentage = Value::at($row, $columns['percentage'] ?? '');
            $part = Values::percentage($percentage);
            $unread = isset($columns['percentage']) && $part === null && ($percentage !== null || $on === true);
            $unknown = self::held($row, $strange);
            if ($unknown !== null) {
                $found->refuse("$this->flags.$unknown holds something that is not understood");
                $found->leaveOut($key);
            } elseif ($unread && $percentage === null) {
                $found->refuse("$this->flags: $key is on, and its percentage is NULL: write 100 for everybody or 0 for nobody");
                $found->leaveOut($key);
            } elseif ($on === null || $unread || isset($found->flags[$key])) {
                $found->refuse("$this->flags: $key cannot be read, or is there twice: " . Values::shown($row));
                $found->leaveOut($key);
            } else {
                $flag = $found->flag($key, $this->flags);
                $flag->enabled = $on;
                $flag->percentage = $part;
                $flag->crc32 = $part !== null;
                $flag->description = Value::text($row, $columns['description'] ?? '');
                $flag->owner = Value::text($row, $columns['owner'] ?? '');
            }
        }

        return [$keys, $deleted];
    }

    /**
     * @param array<int|string, string> $keys
     * @param array<int|string, true> $deleted
     */
    private function overrides(ImportResult $found, array $keys, array $deleted): void
    {
        if (!$this->connection->getSchemaBuilder()->hasTable($this->overrides)) {
            return;
        }
        [$columns, $strange] = $this->columns($this->overrides, self::OVERRIDE, ['company', 'enabled']);
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
            $ends = Value::at($row, $columns['ends'] ?? '');
            $unknown = self::held($row, $strange);
            $isDeleted = isset($columns['id']) ? isset($deleted["id $named"]) : isset($deleted[$key]) && !\in_array($key, $keys, true);
            if ($isDeleted || Value::at($row, $columns['deleted'] ?? '') !== null || self::isPast($ends)) {
                continue;
            }
            if ($key === null || !\in_array($key, $keys, true)) {
                $found->refuse("$this->overrides: overrides of a flag that is not in $this->flags");
            } elseif ($unknown !== null || $ends !== null) {
                $found->refuse("$this->overrides." . ($unknown ?? $columns['ends'] ?? '') . ' holds something that is not understood');
                $found->leaveOut($key);
            } elseif ($on === null || $company === null || $company === '' || CompanyText::problem($company) !== null || isset($lists[$key][$company])) {
                $which = "$key for company " . Values::shown($company);
                $found->refuse("$this->overrides: $which cannot be read, or is there twice");
                $found->leaveOut($key);
            } else {
                $lists[$key][$company] = $on;
            }
        }
        foreach (\array_intersect_key($lists, $found->flags) as $key => $companies) {
            $found->flags[$key]->allow = \array_keys($companies, true, true);
            $found->flags[$key]->deny = \array_keys($companies, false, true);
        }
    }

    /** Returns false, too, for a value that is no time. */
    private static function isPast(mixed $time): bool
    {
        // In the application's time zone, like its models.
        $seconds = \is_numeric($time) ? (int) $time : (\is_string($time) ? \strtotime($time) : false);

        return $seconds !== false && $seconds <= \time();
    }

    /**
     * @param list<string> $columns
     * @return ?string the first of them that is not empty
     */
    private static function held(mixed $row, array $columns): ?string
    {
        foreach ($columns as $column) {
            if (Value::at($row, $column) !== null) {
                return $column;
            }
        }

        return null;
    }

    /** Turns the flag on with 0 %, where an override lets a company in although the flag is off. */
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
     * @return array{array<string, string>, list<string>} the table's columns by meaning, and those that are not understood
     */
    private function columns(string $table, array $known, array $needed): array
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

        return [$columns, \array_values(\array_diff($there, $columns, self::IDLE))];
    }
}
