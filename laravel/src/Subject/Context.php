<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

/**
 * Attributes from flagstoneContext() of users and companies.
 *
 * @internal
 */
final class Context
{
    /** @return list<object> those of the candidates that have a flagstoneContext() */
    public static function from(mixed ...$candidates): array
    {
        return \array_values(\array_filter(
            $candidates,
            static fn (mixed $one): bool => \is_object($one) && \method_exists($one, 'flagstoneContext'),
        ));
    }

    /**
     * @param list<object> $sources the first to name an attribute wins
     * @return array<string, mixed>
     */
    public static function gather(array $sources): array
    {
        $context = [];
        foreach ($sources as $source) {
            $context += $source->flagstoneContext();
        }

        return $context;
    }
}
