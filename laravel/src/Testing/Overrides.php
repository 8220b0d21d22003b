<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Testing;

use Flagstone\Laravel\Extension;
use Flagstone\Polyfill\Process;

/**
 * What this process was told to answer. The global functions answer so too, with the extension and without; each process
 * of a parallel run has its own.
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
     * Holds until the object is gone, or others are told.
     *
     * @param array<array-key, mixed> $answers by flag: a bool, a variant's name, or those by company
     * @param ?bool $otherwise for what is not named; null: as the definitions say
     */
    public static function tell(array $answers, ?bool $otherwise): self
    {
        \flagstone_override($answers, $otherwise);
        if (Extension::isLoaded()) {
            // The driver "file" asks the polyfill's class beside the extension.
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
