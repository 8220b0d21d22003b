<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use BackedEnum;
use Closure;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Integrations\SharedFlags;
use Flagstone\Laravel\Subject\Source;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;
use UnitEnum;

/**
 * The class behind the facade: questions for the subject of this request or job.
 *
 * Flags are strings or enums: a backed case's value, another case's name.
 *
 * @phpstan-import-type Explanation from Driver
 */
class Flagstone
{
    use Branches;

    private ?Driver $driver = null;

    public function __construct(
        private readonly Drivers $drivers,
        private readonly Subjects $subjects,
    ) {
    }

    /** @param array<string, mixed> $context attributes in addition to the subject's; they win */
    public function enabled(string|UnitEnum $flag, array $context = []): bool
    {
        return $this->current()->enabled($flag, $context);
    }

    /** Returns true if the flag could be on for any company now. */
    public function possible(string|UnitEnum $flag): bool
    {
        $flag = self::key($flag);

        return $this->driver()->possible($flag) || (new Questions($this, new Subject()))->noted($flag);
    }

    /**
     * Returns the variant that is shown; null if the flag is off or has none.
     *
     * @param array<string, mixed> $context
     */
    public function variant(string|UnitEnum $flag, array $context = []): ?string
    {
        return $this->current()->variant($flag, $context);
    }

    /**
     * Returns the value of that variant.
     *
     * @param array<string, mixed> $context
     */
    public function value(string|UnitEnum $flag, mixed $default = null, array $context = []): mixed
    {
        return $this->current()->value($flag, $default, $context);
    }

    /**
     * Returns the answer and how it came about, with the keys that feature_explain() documents.
     *
     * @param array<string, mixed> $context
     * @return Explanation
     */
    public function explain(string|UnitEnum $flag, array $context = []): array
    {
        return $this->current()->explain($flag, $context);
    }

    /**
     * Returns every flag's answer.
     *
     * @param array<string, mixed> $context
     * @return array<array-key, bool> a flag named by digits alone is an int
     */
    public function all(array $context = []): array
    {
        return $this->current()->all($context);
    }

    /**
     * Returns the companies for which the flag is on, keys kept. The subject's attributes play no part.
     *
     * @template K of array-key
     * @template V
     * @param iterable<K, V> $companies keys, models or users
     * @param array<string, mixed> $context
     * @return array<K, V>
     */
    public function filter(string|UnitEnum $flag, iterable $companies, array $context = []): array
    {
        $companies = \is_array($companies) ? $companies : \iterator_to_array($companies);
        $keys = \array_map(static fn (mixed $company): int|string|null => Subject::of($company)->company, $companies);

        $flag = self::key($flag);
        $context = (new Questions($this, new Subject()))->contextFor($flag, $context);

        return \array_intersect_key($companies, $this->driver()->filter($flag, $keys, $context));
    }

    /**
     * Returns questions for another company than the current one, or for a user's; null asks for no company at all.
     *
     * @param array<string, mixed> $context
     */
    public function for(mixed $company, array $context = []): Questions
    {
        return new Questions($this, Subject::of($company, $context));
    }

    /** Returns questions that only look: they do not count the feature as shown. */
    public function peek(): Questions
    {
        return new Questions($this, $this->subjects->current(), true);
    }

    /**
     * Runs the closure with all its questions asked for this company: impersonation, commands, webhooks. Nests.
     *
     * @template T
     * @param Closure(): T $do
     * @param array<string, mixed> $context
     * @return T
     */
    public function actingFor(mixed $company, Closure $do, array $context = []): mixed
    {
        return $this->subjects->acting(Subject::of($company, $context), $do);
    }

    /**
     * Counts an event in this request, for each flag that the request asked: `flagstone experiment FLAG` compares the variants by
     * it. The polyfill counts nothing.
     *
     * @param string $event 1 to 64 bytes
     * @param float $value a finite number, such as an order's total
     * @throws \ValueError for another name or number
     */
    public function track(string $event, float $value = 1.0): void
    {
        \feature_track($event, $value);
    }

    /** Returns the flags that pages may know, named by `share` in config/flagstone.php, as JSON or an array. */
    public function shared(): SharedFlags
    {
        return Container::getInstance()->make(SharedFlags::class);
    }

    /** Returns the current subject. */
    public function subject(): Subject
    {
        return $this->subjects->current();
    }

    public function driver(): Driver
    {
        return $this->driver ??= $this->drivers->make();
    }

    /** Replaces the driver that answers. */
    public function setDriver(Driver $driver): void
    {
        $this->driver = $driver;
    }

    /**
     * Adds a driver that config/flagstone.php may name.
     *
     * @param Closure(Application, array<string, mixed>): Driver $maker
     */
    public function extend(string $name, Closure $maker): void
    {
        $this->drivers->extend($name, $maker);
    }

    /** Looks up the subject again at the next question: the company changed in the middle of a request. */
    public function forgetSubject(): void
    {
        $this->subjects->forget(Source::USER, Source::TENANT, Source::REQUEST);
    }

    public static function key(string|UnitEnum $flag): string
    {
        return match (true) {
            \is_string($flag) => $flag,
            $flag instanceof BackedEnum => (string) $flag->value,
            default => $flag->name,
        };
    }

    private function current(): Questions
    {
        return new Questions($this, $this->subjects->current());
    }
}
