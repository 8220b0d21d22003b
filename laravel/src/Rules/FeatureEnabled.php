<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Rules;

use Flagstone\Laravel\Flagstone;
use Stringable;
use UnitEnum;

/**
 * A field that is permitted only while a flag is on for the sender: 'format' => [new FeatureEnabled('xlsx_export')]. The same
 * as the rule 'feature:xlsx_export'; several flags must all be on.
 */
final class FeatureEnabled implements Stringable
{
    /** @var list<string> */
    private array $flags;

    public function __construct(string|UnitEnum ...$flags)
    {
        $this->flags = \array_map(Flagstone::key(...), \array_values($flags));
    }

    public function __toString(): string
    {
        return 'feature:' . \implode(',', $this->flags);
    }
}
