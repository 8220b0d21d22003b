<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Value;
use stdClass;

/**
 * A flag from a source; a field that it does not set keeps its value in flags.json.
 */
final class Flag
{
    /** @var list<string> notes for people */
    public array $notes = [];
    public ?string $description = null;
    public ?string $owner = null;
    /** Null: not set by the source. */
    public ?bool $enabled = null;
    /** 0 to 100; null: no percentage, and so all companies. */
    public int|float|null $percentage = null;
    /** True if companies are drawn by `crc32($company) % 100`, as in hand-written code. */
    public bool $crc32 = false;
    /** @var list<int|string> */
    public array $allow = [];
    /** @var list<int|string> */
    public array $deny = [];

    /** Its place in the origin, for messages. */
    public string $place;

    /** @param string $from its origin, for people */
    public function __construct(public readonly string $key, public readonly string $from)
    {
        $this->place = "$key of $from";
    }

    /** Merges this flag over the existing definition. */
    public function over(bool|stdClass|null $before): stdClass
    {
        $flag = $before instanceof stdClass ? clone $before : (object) ['enabled' => $before ?? false];
        $flag->enabled = $this->enabled ?? Value::bool($flag, 'enabled') ?? true;
        foreach (['description' => $this->description, 'owner' => $this->owner] as $field => $text) {
            if ($text !== null) {
                $flag->{$field} = Value::at($flag, $field) ?? $text;
            }
        }
        // A flag that is simply off needs no percentage and no companies.
        if (!$flag->enabled && $this->percentage === null && $this->allow === [] && $this->deny === []) {
            return $flag;
        }
        $percentage = $this->percentage ?? ($this->allow !== [] ? 100 : null);
        $rollout = Value::object($flag, 'rollout');
        if ($percentage !== null || $rollout !== null) {
            $rollout = $rollout === null ? new stdClass() : clone $rollout;
            $rollout->percentage = $percentage ?? 100;
            if ($this->crc32) {
                $rollout->bucketing = 'crc32';
            }
            $flag->rollout = $rollout;
        }
        $kept = \array_diff(Value::keys($flag, 'companies', 'deny'), $this->allow);
        $denied = $this->deny !== [] ? $this->deny : \array_values($kept);
        unset($flag->companies, $flag->schedule);
        $companies = \array_filter(['allow' => $this->allow, 'deny' => $denied], static fn (array $list): bool => $list !== []);
        if ($companies !== []) {
            $flag->companies = (object) $companies;
        }

        return $flag;
    }
}
