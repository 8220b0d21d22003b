<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Value;
use stdClass;

/**
 * A flag as a source has it: what is not said there stays as flags.json says it.
 */
final class Flag
{
    /** @var list<string> what somebody should know about it */
    public array $notes = [];
    public ?string $description = null;
    public ?string $owner = null;
    /** Null: the source does not say. */
    public ?bool $enabled = null;
    /** 0 to 100; null: nothing about a percentage, so everybody. */
    public int|float|null $percentage = null;
    /** Whether companies are drawn by `crc32($company) % 100`, as code written by hand does. */
    public bool $crc32 = false;
    /** @var list<int|string> */
    public array $allow = [];
    /** @var list<int|string> */
    public array $deny = [];

    /** @param string $from where it was found, for people */
    public function __construct(public readonly string $key, public readonly string $from)
    {
    }

    /** The definition in place of what there is. */
    public function over(bool|stdClass|null $before): stdClass
    {
        $flag = $before instanceof stdClass ? clone $before : (object) ['enabled' => $before ?? false];
        $flag->enabled = $this->enabled ?? Value::bool($flag, 'enabled') ?? true;
        foreach (['description' => $this->description, 'owner' => $this->owner] as $field => $text) {
            if ($text !== null) {
                $flag->{$field} = Value::at($flag, $field) ?? $text;
            }
        }
        // Just off: for whom it would be on is nobody's concern here.
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
