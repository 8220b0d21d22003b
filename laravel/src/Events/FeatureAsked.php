<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Events;

use Flagstone\Laravel\Subject\Subject;

/**
 * A flag was asked for, and the answer affected the application. Made only if there are listeners.
 */
final class FeatureAsked
{
    public function __construct(
        public readonly string $flag,
        public readonly Subject $subject,
        public readonly bool $enabled,
    ) {
    }
}
