<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Exceptions;

use InvalidArgumentException;

/**
 * A setting of config/flagstone.php with a value that is not valid.
 */
final class InvalidSetting extends InvalidArgumentException
{
    /** @param list<string> $known valid values */
    public static function unknown(string $key, string $found, array $known): self
    {
        return new self("config/flagstone.php: $key is \"$found\", expected " . \implode(', ', $known) . ' or null');
    }

    /**
     * @param string $uri a route
     * @param list<string> $middleware of that route, any of which may have found the second company
     */
    public static function askedEarly(string $uri, int|string|null $asked, int|string|null $found, array $middleware): self
    {
        $whom = static fn (int|string|null $company): string => $company === null ? 'no company' : "company $company";

        return new self("The flags of the route \"$uri\" were asked for {$whom($asked)}, and then a middleware found {$whom($found)}. Name it under"
            . ' middleware.after in config/flagstone.php: ' . \implode(' or ', $middleware));
    }

    public static function blankAtEnd(string $key, string $found): self
    {
        return new self("config/flagstone.php: $key is \"$found\", with a blank at its beginning or end, and nothing of that name is there; take the blank out");
    }

    public static function wrongType(string $key, mixed $found, string $expected): self
    {
        return new self("config/flagstone.php: $key is " . (\is_bool($found) ? \var_export($found, true) : \get_debug_type($found)) . ", expected $expected");
    }
}
