<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Subject\Subject;
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

    /** @param array<string, mixed> $context */
    public function enabled(string|UnitEnum $flag, array $context = []): bool
    {
        $flag = Flagstone::key($flag);
        if ($this->look) {
            if ($this->subject->problem() !== null) {
                return $this->flagstone->unanswered($flag, $this->subject);
            }
            $driver = $this->flagstone->driver();
            $context = $this->flagstone->contextFor($flag, $this->subject, $context);

            return $driver->peek($flag, $this->subject->company, $context) || $this->flagstone->noted($flag, $this->subject, $context);
        }

        return $this->flagstone->asks($flag, $this->subject, $context);
    }

    /** @param array<string, mixed> $context */
    public function variant(string|UnitEnum $flag, array $context = []): ?string
    {
        $flag = Flagstone::key($flag);
        if ($this->look) {
            return $this->explain($flag, $context)['variant'];
        }
        if ($this->subject->problem() !== null) {
            $this->flagstone->unanswered($flag, $this->subject);

            return null;
        }
        $driver = $this->flagstone->driver();
        $context = $this->flagstone->contextFor($flag, $this->subject, $context);
        $variant = $driver->variant($flag, $this->subject->company, $context);
        $this->answered($flag, $variant !== null, $context);

        return $variant;
    }

    /** @param array<string, mixed> $context */
    public function value(string|UnitEnum $flag, mixed $default = null, array $context = []): mixed
    {
        $flag = Flagstone::key($flag);
        if ($this->subject->problem() !== null) {
            $this->flagstone->unanswered($flag, $this->subject);

            return $default;
        }
        $driver = $this->flagstone->driver();
        $context = $this->flagstone->contextFor($flag, $this->subject, $context);
        $nothing = new \stdClass();
        $value = $driver->value($flag, $this->subject->company, $context, $nothing);
        $this->answered($flag, $value !== $nothing, $context);

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
            $this->flagstone->unanswered((string) \array_key_first($answers), $this->subject);
        }

        return \array_map(static fn (): bool => false, $answers);
    }

    /** @param array<string, mixed> $context the question's attributes */
    private function answered(string $flag, bool $enabled, array $context): void
    {
        $this->flagstone->announce($flag, $this->subject, $enabled || $this->flagstone->noted($flag, $this->subject, $context));
    }
}
