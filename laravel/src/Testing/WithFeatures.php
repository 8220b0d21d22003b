<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Testing;

use Flagstone\Laravel\Flagstone;
use Illuminate\Container\Container;
use PHPUnit\Framework\Attributes\After;
use UnitEnum;

/**
 * For test cases of PHPUnit, and for Pest by uses(WithFeatures::class): some flags answer as this test says, all others as the
 * definitions do. Also works without an application, for the global functions.
 */
trait WithFeatures
{
    /** @var array<array-key, mixed> */
    private array $flagstoneAnswers = [];

    /** Held until the test ends. */
    private ?Overrides $flagstoneOverrides = null;

    /**
     * Adds to the answers of earlier calls.
     *
     * @param array<array-key, mixed> $answers by flag: true or false, a variant's name or a Variant, or an array of those
     *     by company
     */
    protected function withFeatures(array $answers): static
    {
        $this->flagstoneAnswers = $answers + $this->flagstoneAnswers;
        $app = Container::getInstance();
        if ($app->bound(Flagstone::class)) {
            Fake::install($app, $this->flagstoneAnswers, null);
        } else {
            $this->flagstoneOverrides = Overrides::tell($this->flagstoneAnswers, null);
        }

        return $this;
    }

    protected function withFeature(string|UnitEnum $flag, mixed $answer = true): static
    {
        return $this->withFeatures([Flagstone::key($flag) => $answer]);
    }

    protected function withoutFeature(string|UnitEnum ...$flags): static
    {
        return $this->withFeatures(\array_fill_keys(\array_map(Flagstone::key(...), $flags), false));
    }

    /** @after */
    #[After]
    protected function forgetFeatures(): void
    {
        $this->flagstoneAnswers = [];
        $this->flagstoneOverrides = null;
        Overrides::end();
    }
}
