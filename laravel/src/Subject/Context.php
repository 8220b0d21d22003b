<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Value;

/**
 * Attributes from flagstoneContext() of companies and users.
 *
 * @internal
 */
final class Context
{
    /**
     * The user's attributes, then those of the company that the user does not name, and the user's id as `user`.
     *
     * @return array<string, mixed>
     */
    public static function of(mixed $company, ?object $user = null): array
    {
        $id = $user !== null && \method_exists($user, 'getAuthIdentifier') ? $user->getAuthIdentifier() : null;

        return self::from($user) + self::from($company) + ($id === null ? [] : ['user' => $id]);
    }

    /** Whether it has attributes to give. */
    public static function has(mixed $source): bool
    {
        return \is_object($source) && \method_exists($source, 'flagstoneContext');
    }

    /** @return array<string, mixed> */
    private static function from(mixed $source): array
    {
        return \is_object($source) && \method_exists($source, 'flagstoneContext') ? Value::named(['context' => $source->flagstoneContext()], 'context') : [];
    }
}
