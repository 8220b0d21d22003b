<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Events\FeatureAsked;
use Flagstone\Laravel\Exceptions\IncomparableAttribute;
use Flagstone\Laravel\Exceptions\UnknownCompany;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Container\Container;
use UnitEnum;

/**
 * Questions for one subject: Flagstone::for($company)->enabled('customer_portal').
 *
 * @phpstan-import-type Explanation from Driver
 */
final class Questions
{
    use Branches;

    /** Reason in explain() if the company cannot be determined. */
    private const UNKNOWN_COMPANY = 'unknown_company';

    /** @param bool $look true if the answers do not affect the request */
    public function __construct(
        private readonly Flagstone $flagstone,
        private readonly Subject $subject,
        private readonly bool $look = false,
    ) {
    }

    /**
     * Asks the question behind most others. An off is checked once per subject and flag, in case it is a typo.
     *
     * @param array<string, mixed> $context
     */
    public function enabled(string|UnitEnum $flag, array $context = []): bool
    {
        $flag = Flagstone::key($flag);
        if ($this->subject->problem() !== null) {
            return $this->unanswered($flag);
        }
        $driver = $this->flagstone->driver();
        $context = $this->contextFor($flag, $context);
        if ($this->look) {
            return $driver->peek($flag, $this->subject->company, $context) || $this->noted($flag, $context);
        }
        $enabled = $driver->enabled($flag, $this->subject->company, $context) || $this->noted($flag, $context);
        $this->announce($flag, $enabled);

        return $enabled;
    }

    /** @param array<string, mixed> $context */
    public function variant(string|UnitEnum $flag, array $context = []): ?string
    {
        $flag = Flagstone::key($flag);
        if ($this->look) {
            return $this->explain($flag, $context)['variant'];
        }
        if ($this->subject->problem() !== null) {
            $this->unanswered($flag);

            return null;
        }
        $driver = $this->flagstone->driver();
        $context = $this->contextFor($flag, $context);
        $variant = $driver->variant($flag, $this->subject->company, $context);
        $this->announce($flag, $variant !== null || $this->noted($flag, $context));

        return $variant;
    }

    /** @param array<string, mixed> $context */
    public function value(string|UnitEnum $flag, mixed $default = null, array $context = []): mixed
    {
        $flag = Flagstone::key($flag);
        if ($this->subject->problem() !== null) {
            $this->unanswered($flag);

            return $default;
        }
        $driver = $this->flagstone->driver();
        $context = $this->contextFor($flag, $context);
        $nothing = new \stdClass();
        $value = $driver->value($flag, $this->subject->company, $context, $nothing);
        $this->announce($flag, $value !== $nothing || $this->noted($flag, $context));

        return $value === $nothing ? $default : $value;
    }

    /**
     * @param array<string, mixed> $context
     * @return Explanation
     */
    public function explain(string|UnitEnum $flag, array $context = []): array
    {
        $flag = Flagstone::key($flag);
        $driver = $this->flagstone->driver();
        $context = $this->subject->contextFor($flag, $driver, $context);
        $explained = $driver->explain($flag, $this->subject->company, $context);

        return $this->subject->problem() === null ? $explained : [
            'enabled' => false, 'reason' => self::UNKNOWN_COMPANY, 'rule' => null, 'bucket' => null, 'percentage' => null, 'variant' => null,
            'prerequisite' => null,
        ] + $explained;
    }

    /**
     * @param array<string, mixed> $context
     * @return array<array-key, bool>
     */
    public function all(array $context = []): array
    {
        $driver = $this->flagstone->driver();
        $answers = $driver->all($this->subject->company, $this->subject->contextForAll($driver, $context));
        if ($this->subject->problem() === null) {
            return $answers;
        }
        if ($answers !== []) {
            $this->unanswered((string) \array_key_first($answers));
        }

        return \array_map(static fn (): bool => false, $answers);
    }

    /**
     * Returns the attributes for a question, after reporting those that the flag reads and cannot compare.
     *
     * @internal
     * @param array<string, mixed> $more the caller's own, which win
     * @return array<string, mixed>
     * @throws IncomparableAttribute if the configuration says so
     */
    public function contextFor(string $flag, array $more = []): array
    {
        $driver = $this->flagstone->driver();
        $context = $this->subject->contextFor($flag, $driver, $more);
        if ($context !== [] && ($reads = $this->subject->reads($flag, $driver)) !== []) {
            self::warnings()->attributes($flag, $this->subject->company, $context, $reads, $driver);
        }

        return $context;
    }

    /**
     * Reports a subject whose company cannot be determined, and answers off. Always false.
     *
     * @internal
     * @throws UnknownCompany if the configuration says so
     */
    public function unanswered(string $flag): bool
    {
        self::warnings()->unknownCompany($flag, (string) $this->subject->problem());
        $this->announce($flag, false);

        return false;
    }

    /**
     * Dispatches the answer, if there are listeners.
     *
     * @internal
     */
    public function announce(string $flag, bool $enabled): void
    {
        $events = Container::getInstance()->make('events');
        if ($events->hasListeners(FeatureAsked::class)) {
            $events->dispatch(new FeatureAsked($flag, $this->subject, $enabled));
        }
    }

    /**
     * Warns if an off looks like a mistake. Always false: off it stays.
     *
     * @internal
     * @param array<string, mixed> $context the question's attributes
     */
    public function noted(string $flag, array $context = []): bool
    {
        if ($this->subject->firstOff($flag)) {
            self::warnings()->off($flag, $this->subject, $this->flagstone->driver(), $context);
        }

        return false;
    }

    private static function warnings(): Warnings
    {
        return Container::getInstance()->make(Warnings::class);
    }
}
