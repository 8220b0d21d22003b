<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use BackedEnum;
use Closure;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Events\FeatureAsked;
use Flagstone\Laravel\Exceptions\IncomparableAttribute;
use Flagstone\Laravel\Exceptions\UnknownCompany;
use Flagstone\Laravel\Integrations\SharedFlags;
use Flagstone\Laravel\Subject\Source;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use UnitEnum;

/**
 * What the facade reaches: questions for whoever is asking in this request or job.
 *
 * Flags are strings or enums: a backed case's value, another case's name.
 *
 * @phpstan-import-type Explanation from Driver
 */
class Flagstone
{
    private ?Driver $driver = null;

    public function __construct(
        private readonly Drivers $drivers,
        private readonly Subjects $subjects,
        private Dispatcher $events,
    ) {
    }

    /** @param array<string, mixed> $context attributes beside those of the subject; win over them */
    public function enabled(string|UnitEnum $flag, array $context = []): bool
    {
        return $this->asks(self::key($flag), $this->subjects->current(), $context);
    }

    /** Could the flag be on for anyone now? */
    public function possible(string|UnitEnum $flag): bool
    {
        $flag = self::key($flag);

        return $this->driver()->possible($flag) || $this->noted($flag, new Subject());
    }

    /**
     * The variant that is shown; null where the flag is off or has none.
     *
     * @param array<string, mixed> $context
     */
    public function variant(string|UnitEnum $flag, array $context = []): ?string
    {
        return $this->current()->variant($flag, $context);
    }

    /**
     * That variant's value.
     *
     * @param array<string, mixed> $context
     */
    public function value(string|UnitEnum $flag, mixed $default = null, array $context = []): mixed
    {
        return $this->current()->value($flag, $default, $context);
    }

    /**
     * The answer and how it came about, with the keys that feature_explain() documents.
     *
     * @param array<string, mixed> $context
     * @return Explanation
     */
    public function explain(string|UnitEnum $flag, array $context = []): array
    {
        return $this->current()->explain($flag, $context);
    }

    /**
     * Every flag's answer.
     *
     * @param array<string, mixed> $context
     * @return array<array-key, bool> a flag named by digits alone is an int
     */
    public function all(array $context = []): array
    {
        return $this->current()->all($context);
    }

    /**
     * Those of the companies for which the flag is on, keys kept. The subject's attributes play no part.
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
        $context = $this->contextFor($flag, new Subject(), $context);

        return \array_intersect_key($companies, $this->driver()->filter($flag, $keys, $context));
    }

    /**
     * Questions for another company than the one that is asking, or for a user's; null asks for no company at all.
     *
     * @param array<string, mixed> $context
     */
    public function for(mixed $company, array $context = []): Questions
    {
        return new Questions($this, Subject::of($company, $context));
    }

    /** Questions that only look: they do not count as having shown the feature to anybody. */
    public function peek(): Questions
    {
        return new Questions($this, $this->subjects->current(), true);
    }

    /**
     * Everything that the closure asks is asked for this company: impersonation, commands, webhooks. Nests.
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
     * Counts that something happened in this request, for each flag that the request asked: `flagstone experiment FLAG` compares
     * the variants by it. The polyfill counts nothing.
     *
     * @param string $event 1 to 64 bytes
     * @param float $value a finite number, such as an order's total
     * @throws \ValueError for another name or number
     */
    public function track(string $event, float $value = 1.0): void
    {
        \feature_track($event, $value);
    }

    /** What a page may know: the flags that config/flagstone.php names under `share`, as JSON or an array. */
    public function shared(): SharedFlags
    {
        return Container::getInstance()->make(SharedFlags::class);
    }

    /** Who is asking. */
    public function subject(): Subject
    {
        return $this->subjects->current();
    }

    public function driver(): Driver
    {
        return $this->driver ??= $this->drivers->make();
    }

    /** From here on this driver answers. */
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

    /** Finds out anew who is asking: the company changed in the middle of a request. */
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

    /**
     * The one question everything else comes down to. An off is looked into once per subject and flag, in case that it
     * is a typo.
     *
     * @internal
     * @param array<string, mixed> $context
     */
    public function asks(string $flag, Subject $subject, array $context = []): bool
    {
        if ($subject->problem() !== null) {
            return $this->unanswered($flag, $subject);
        }
        $driver = $this->driver ??= $this->drivers->make();
        $context = $this->contextFor($flag, $subject, $context);
        $enabled = $driver->enabled($flag, $subject->company, $context) || $this->noted($flag, $subject, $context);
        if ($this->events->hasListeners(FeatureAsked::class)) {
            $this->announce($flag, $subject, $enabled);
        }

        return $enabled;
    }

    /**
     * What to send along with a question, once it is said which of the attributes that the flag reads cannot be compared.
     *
     * @internal
     * @param array<string, mixed> $more from the one who asks; wins
     * @return array<string, mixed>
     * @throws IncomparableAttribute where that is not to pass in silence
     */
    public function contextFor(string $flag, Subject $subject, array $more = []): array
    {
        $driver = $this->driver();
        $context = $subject->contextFor($flag, $driver, $more);
        if ($context !== [] && ($reads = $subject->reads($flag, $driver)) !== []) {
            Container::getInstance()->make(Warnings::class)->attributes($flag, $subject->company, $context, $reads, $driver);
        }

        return $context;
    }

    /**
     * Off, and said so, for a subject whose company cannot be determined. Always false.
     *
     * @internal
     * @throws UnknownCompany where that is not to pass in silence
     */
    public function unanswered(string $flag, Subject $subject): bool
    {
        Container::getInstance()->make(Warnings::class)->unknownCompany($flag, (string) $subject->problem());
        $this->announce($flag, $subject, false);

        return false;
    }

    /**
     * Tells who listens, if anybody does.
     *
     * @internal
     */
    public function announce(string $flag, Subject $subject, bool $enabled): void
    {
        if ($this->events->hasListeners(FeatureAsked::class)) {
            $this->events->dispatch(new FeatureAsked($flag, $subject, $enabled));
        }
    }

    /** @internal for tests that replace the dispatcher */
    public function setEvents(Dispatcher $events): void
    {
        $this->events = $events;
    }

    /**
     * Warns where an off looks like a mistake. Always false: off it stays.
     *
     * @internal
     * @param array<string, mixed> $context what was sent along
     */
    public function noted(string $flag, Subject $subject, array $context = []): bool
    {
        if ($subject->firstOff($flag)) {
            Container::getInstance()->make(Warnings::class)->off($flag, $subject, $this->driver(), $context);
        }

        return false;
    }

    private function current(): Questions
    {
        return new Questions($this, $this->subjects->current());
    }
}
