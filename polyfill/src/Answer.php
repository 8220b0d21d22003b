<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * An answer and how it came about.
 *
 * @internal
 */
final class Answer
{
    /** The flag's number in the snapshot; null: unknown. */
    public ?int $flag = null;

    /** What a test told. */
    public ?Choice $told = null;

    /**
     * @param ?int $rule       place of the rule that decided
     * @param ?int $bucket     0 to 99,999
     * @param ?int $percentage thousandths
     * @param ?int $blocker    number of the required flag that is off
     */
    public function __construct(
        public bool $on,
        public string $reason,
        public ?int $rule = null,
        public ?int $bucket = null,
        public ?int $percentage = null,
        public ?int $blocker = null,
    ) {
    }
}
