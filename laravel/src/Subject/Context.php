<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Value;
use InvalidArgumentException;

/**
 * Attributes from flagstoneContext() of companies and users.
 *
 * @internal
 */
final class Context
{
    /**
     * The user's attributes, then those of the company that the user's do not set, and the user's id as `user`.
     *
     * @return array<string, mixed>
     */
    public static function of(mixed $company, mixed $user = null): array
    {
        $id = \is_object($user) && \method_exists($user, 'getAuthIdentifier') ? $user->getAuthIdentifier() : null;

        return self::from($user) + self::from($company) + ($id === null ? [] : ['user' => $id]);
    }

    /** True if it has attributes to give. */
    public static function has(mixed $source): bool
    {
        return \is_object($source) && \method_exists($source, 'flagstoneContext');
    }

    /** @return array<string, mixed> */
    private static function from(mixed $source): array
    {
        if (!\is_object($source) || !\method_exists($source, 'flagstoneContext')) {
            return [];
        }
        $context = $source->flagstoneContext();
        if (!\is_array($context)) {
            // If these counted as no attributes, each rule that asks for one to be missing would hold.
            throw new InvalidArgumentException(\sprintf('%s::flagstoneContext() returned %s, expected an array of attributes by name', \get_debug_type($source), \get_debug_type($context)));
        }

        return Value::named(['context' => $context], 'context');
    }
}
