<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

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
        $flag->enabled = $this->enabled ?? $flag->enabled ?? true;
        foreach (['description', 'owner'] as $field) {
            if ($this->$field !== null) {
                $flag->$field ??= $this->$field;
            }
        }
        // Just off: for whom it would be on is nobody's concern here.
        if ($flag->enabled === false && $this->percentage === null && $this->allow === [] && $this->deny === []) {
            return $flag;
        }
        $percentage = $this->percentage ?? ($this->allow !== [] ? 100 : null);
        if ($percentage !== null || isset($flag->rollout)) {
            $flag->rollout = isset($flag->rollout) ? clone $flag->rollout : new stdClass();
            $flag->rollout->percentage = $percentage ?? 100;
            if ($this->crc32) {
                $flag->rollout->bucketing = 'crc32';
            }
        }
        $kept = \array_diff($flag->companies->deny ?? [], $this->allow);
        $denied = $this->deny !== [] ? $this->deny : \array_values($kept);
        unset($flag->companies, $flag->schedule);
        foreach (['allow' => $this->allow, 'deny' => $denied] as $list => $companies) {
            if ($companies !== []) {
                $flag->companies ??= new stdClass();
                $flag->companies->$list = $companies;
            }
        }

        return $flag;
    }
}
