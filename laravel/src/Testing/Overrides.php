<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Testing;

use Flagstone\Laravel\Extension;
use Flagstone\Polyfill\Process;

/**
 * Answers set for this process, also of the global functions, with the extension and without; each process of a parallel run has
 * its own.
 *
 * @internal
 */
final class Overrides
{
    private static int $latest = 0;

    private function __construct(private readonly int $number)
    {
    }

    /**
     * Sets answers until the object is destroyed, or others are set.
     *
     * @param array<array-key, mixed> $answers by flag: a bool, a variant's name, or those by company
     * @param ?bool $otherwise for all other flags; null: as the definitions say
     */
    public static function tell(array $answers, ?bool $otherwise): self
    {
        \flagstone_override($answers, $otherwise);
        if (Extension::isLoaded()) {
            // The driver "file" asks the polyfill's class even with the extension.
            Process::override($answers, $otherwise);
        }

        return new self(++self::$latest);
    }

    public static function end(): void
    {
        ++self::$latest;
        \flagstone_override(null);
        if (Extension::isLoaded()) {
            Process::override(null, null);
        }
    }

    public function __destruct()
    {
        if ($this->number === self::$latest) {
            self::end();
        }
    }
}
