<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use LogicException;

/**
 * A flag was asked for that is not defined: most often a typo.
 */
final class UnknownFlag extends LogicException
{
    private function __construct(string $message, public readonly string $flag, public readonly ?string $nearest)
    {
        parent::__construct($message);
    }

    /** @param list<string> $names the flags there are */
    public static function named(string $flag, array $names): self
    {
        $nearest = self::nearest($flag, $names);
        $hint = $nearest !== null ? "did you mean \"$nearest\"?" : 'add it with: php artisan feature:make ' . $flag;

        return new self("Unknown flag \"$flag\": $hint", $flag, $nearest);
    }

    /** @param list<string> $names */
    private static function nearest(string $flag, array $names): ?string
    {
        $nearest = null;
        $least = \max(2, \intdiv(\strlen($flag), 3)) + 1;
        foreach ($names as $name) {
            $distance = \levenshtein(\strtolower($flag), \strtolower($name));
            if ($distance < $least) {
                [$nearest, $least] = [$name, $distance];
            }
        }

        return $nearest;
    }
}
