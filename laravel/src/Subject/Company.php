<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Illuminate\Contracts\Queue\QueueableEntity;
use InvalidArgumentException;
use Stringable;

/**
 * The key of a company, from whatever the application has in hand.
 *
 * @internal
 */
final class Company
{
    /**
     * Null, an int, a string, a model (its key) or an object that is a string, such as a UUID.
     *
     * @throws InvalidArgumentException for anything else
     */
    public static function key(mixed $company): int|string|null
    {
        if ($company === null || \is_int($company) || \is_string($company)) {
            return $company;
        }
        if (\is_object($company) && \method_exists($company, 'flagstoneCompany')) {
            return self::key($company->flagstoneCompany());
        }
        // Before Stringable: a model's string is its JSON.
        if ($company instanceof QueueableEntity) {
            return self::key($company->getQueueableId());
        }
        if ($company instanceof Stringable) {
            return (string) $company;
        }

        throw new InvalidArgumentException(\sprintf(
            'A company is an int, a string, null, a model or a Stringable, %s given; pass its key',
            \get_debug_type($company),
        ));
    }
}
