<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * An answer and its reason.
 *
 * @internal
 */
final class Answer
{
    /** Number of the flag in the snapshot; null if unknown. */
    public ?int $flag = null;

    /** Answer that a test set. */
    public ?TestAnswer $override = null;

    /**
     * @param ?int $rule       index of the rule that decided
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
