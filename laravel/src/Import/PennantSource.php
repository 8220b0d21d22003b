<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Value;
use Illuminate\Database\Connection;
use RuntimeException;

/**
 * Laravel Pennant's table of values stored by scope. Only true and false for companies can be imported; a user is not a company,
 * whatever the number. A flag with a row of anything else is left out as a whole.
 */
final class PennantSource implements Source
{
    /** Value of Pennant for no scope. */
    private const NOBODY = '__laravel_null';

    /**
     * @param list<string> $companies classes and morph names whose models are companies; "int" and "string" for bare numbers and
     *     texts
     */
    public function __construct(
        private readonly Connection $connection,
        private readonly string $table,
        private readonly array $companies,
    ) {
    }

    public function read(): ImportResult
    {
        if (!$this->connection->getSchemaBuilder()->hasTable($this->table)) {
            $database = $this->connection->getName();
            throw new RuntimeException("there is no table {$this->table} in the database $database");
        }
        $found = new ImportResult();
        $guests = [];
        foreach ($this->connection->table($this->table)->orderBy('name')->cursor() as $row) {
            $name = Value::text($row, 'name') ?? '';
            $scope = Value::text($row, 'scope') ?? '';
            $value = \json_decode(Value::text($row, 'value') ?? '');
            if (!\is_bool($value)) {
                $found->refuse("$name: values other than true and false");
                $found->leaveOut($name);
                continue;
            }
            $company = $scope === self::NOBODY ? null : $this->company($scope);
            if ($company === false) {
                $found->refuse("$name: scopes that are no company: " . self::kind($scope));
                $found->leaveOut($name);
                continue;
            }
            $flag = $found->flag($name, $this->table);
            $flag->enabled = true;
            if ($company === null) {
                $guests[$name] = true;
            } elseif ($value) {
                $flag->allow[] = $company;
            } else {
                $flag->deny[] = $company;
            }
        }
        foreach ($found->flags as $key => $flag) {
            $flag->percentage = 0;
            $flag->notes[] = 'the others get 0 %: what Pennant would give them is in code';
            if (isset($guests[$key])) {
                $flag->notes[] = 'what is stored for no scope is a guest\'s, and not taken over';
            }
        }

        return $found->settle();
    }

    /** The company's key; false if the scope is something else. */
    private function company(string $scope): int|string|false
    {
        $at = \strrpos($scope, '|');
        $key = Values::companies([$at === false ? $scope : \substr($scope, $at + 1)])[0] ?? '';
        $type = $at === false ? \get_debug_type($key) : \ltrim(\substr($scope, 0, $at), '\\');

        return $key !== '' && \in_array($type, $this->companies, true) ? $key : false;
    }

    private static function kind(string $scope): string
    {
        $at = \strrpos($scope, '|');

        return $at === false ? 'text or numbers' : \substr($scope, 0, $at);
    }
}
