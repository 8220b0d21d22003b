<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use LogicException;

/**
 * A flag reads an attribute whose value it cannot compare: the condition is unknown and its rule does not hold.
 */
final class IncomparableAttribute extends LogicException
{
    private const PASS = 'an int, float, string or bool, a backed enum, a DateTimeInterface, or a Stringable without toArray()';

    private function __construct(
        string $message,
        public readonly string $flag,
        public readonly string $attribute,
        public readonly string $type,
    ) {
        parent::__construct($message);
    }

    /**
     * @param string $type type of the value: "an object of App\Plan"
     * @param ?string $expected type that the flag compares; null if the value compares with nothing
     */
    public static function of(string $flag, string $attribute, string $type, ?string $expected = null): self
    {
        $problem = $expected === null
            ? 'and cannot be compared'
            : "but is compared as $expected";
        $pass = $expected ?? self::PASS;

        return new self(
            "Flag \"$flag\" reads the attribute \"$attribute\", which is $type, $problem: the condition is unknown, and its rule does not hold. Pass $pass.",
            $flag,
            $attribute,
            $type,
        );
    }
}
