<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Closure;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Value;
use Flagstone\Laravel\Warnings;
use Illuminate\Support\Facades\Event;
use Laravel\Pennant\Contracts\Driver;
use Laravel\Pennant\Events\UnknownFeatureResolved;

/**
 * Laravel Pennant's driver "flagstone": Pennant asks, Flagstone answers. For compatibility: Pennant searches a list and
 * dispatches an event at each question, which takes longer than the answer.
 *
 * A feature that is not a flag belongs to the Pennant store named by pennant.fallback in config/flagstone.php: reads, writes,
 * purges and drawn values. Without that store, its Pennant definition is evaluated at each question, since nothing is stored.
 * While the newest definitions cannot be read, a feature without a flag is off and not written: it may be a flag that is killed.
 * The value of a flag that is on is its variant's value, else its variant's name, else true.
 *
 * Needs only Pennant's contract Driver; newer versions get a subclass with the contracts that they have.
 */
class FlagstoneDriver implements Driver
{
    /** @var array<string, callable(mixed): mixed> */
    private array $resolvers = [];

    public function __construct(
        private readonly Flagstone $flagstone,
        private readonly FlagNames $names,
        private readonly Scopes $scopes,
        private readonly Warnings $warnings,
        private readonly Fallback $fallback,
    ) {
    }

    /** Defines the answer for a feature that is not a flag. */
    public function define(string $feature, callable $resolver): void
    {
        $this->resolvers[$feature] = $resolver;
        $this->fallback->define($feature, $resolver);
    }

    /** @return list<string> Flagstone's flags, and the features defined beside them */
    public function defined(): array
    {
        $defined = \array_map(strval(...), \array_keys($this->resolvers));

        return \array_values(\array_unique([...$this->flagstone->driver()->names(), ...$defined]));
    }

    /** @return list<string> */
    public function definedFeaturesForScope(mixed $scope): array
    {
        return $this->defined();
    }

    /** @return list<string> what can be purged: features of the other store. A flag stores nothing by scope. */
    public function stored(): array
    {
        return $this->fallback->stored();
    }

    /**
     * @param array<array-key, mixed> $features scopes by feature
     * @return array<array-key, array<array-key, mixed>> answers in that shape and order
     */
    public function getAll(array $features): array
    {
        $this->fallback->uncache($this->names->has(...));
        $others = [];
        foreach ($features as $feature => $scopes) {
            if ($this->fallback->store() !== null && \is_array($scopes) && $scopes !== [] && !$this->names->has((string) $feature)) {
                $others[$feature] = \array_map($this->scopes->original(...), $scopes);
            }
        }
        $fallen = $others === [] ? [] : $this->fallback->store()?->getAll($others) ?? [];
        $answers = [];
        foreach ($features as $feature => $scopes) {
            $scopes = \is_array($scopes) ? $scopes : [];
            $answers[$feature] = isset($others[$feature])
                ? \array_combine(\array_keys($scopes), \array_values(\is_array($fallen[$feature] ?? null) ? $fallen[$feature] : []))
                : \array_map(fn (mixed $scope): mixed => $this->get((string) $feature, $scope), $scopes);
        }

        return $answers;
    }

    public function get(string $feature, mixed $scope): mixed
    {
        $this->fallback->uncache($this->names->has(...));
        $driver = $this->flagstone->driver();
        $subject = $this->scopes->subject($scope);
        $questions = new Questions($this->flagstone, $subject ?? new Subject());
        if ($subject?->problem() !== null && $this->names->has($feature)) {
            return $questions->unanswered($feature);
        }
        if ($subject !== null) {
            $context = $questions->contextFor($feature);
            if ($driver->enabled($feature, $subject->company, $context)) {
                return $this->value($feature, $subject, $context);
            }
        }
        if (!$this->names->has($feature)) {
            return $this->fallBack($feature, $this->scopes->original($scope));
        }
        if ($subject === null && $this->names->problem($feature) === null) {
            $this->warnings->unknownScope($feature, $scope);

            return false;
        }

        return $questions->noted($feature);
    }

    /** @throws ManagedExternally */
    public function set(string $feature, mixed $scope, mixed $value): void
    {
        $this->other($feature, fn (): ManagedExternally => ManagedExternally::set($feature, $this->scopes->subject($scope)?->company, $value))
            ->set($feature, $this->scopes->original($scope), $value);
    }

    /** @throws ManagedExternally */
    public function setForAllScopes(string $feature, mixed $value): void
    {
        $this->other($feature, static fn (): ManagedExternally => ManagedExternally::setForAll($feature, $value))->setForAllScopes($feature, $value);
    }

    /** @throws ManagedExternally */
    public function delete(string $feature, mixed $scope): void
    {
        $this->other($feature, fn (): ManagedExternally => ManagedExternally::delete($feature, $this->scopes->subject($scope)?->company))
            ->delete($feature, $this->scopes->original($scope));
    }

    /**
     * Purges the other store: also what it has left of a feature that has become a flag.
     *
     * @param ?array<array-key, mixed> $features null: all of the other store
     * @throws ManagedExternally
     */
    public function purge(?array $features): void
    {
        $this->fallback->uncache($this->names->has(...));
        $named = $features === null ? null : Value::texts(['features' => $features], 'features');
        foreach ($named ?? [] as $feature) {
            $this->needKnown($feature);
        }
        $store = $this->fallback->store();
        $own = \array_diff($store === null ? $named ?? [] : \array_filter($named ?? [], $this->names->has(...)), $this->fallback->stored());
        if ($own !== [] || $store === null && $named === null) {
            throw ManagedExternally::purge($named === null ? null : \array_values($own));
        }
        $store?->purge($named);
    }

    /**
     * The store of features that are not flags.
     *
     * @param Closure(): ManagedExternally $why
     * @throws ManagedExternally if the feature is a flag, or may be one, or there is no such store
     */
    private function other(string $feature, Closure $why): Driver
    {
        $this->fallback->uncache($this->names->has(...));
        $this->needKnown($feature);
        if ($this->names->has($feature)) {
            throw $why();
        }

        return $this->fallback->store() ?? throw ManagedExternally::unknown($feature);
    }

    /** @throws ManagedExternally if it is not known whether the feature is a flag */
    private function needKnown(string $feature): void
    {
        $problem = $this->names->problem($feature);
        if ($problem !== null) {
            throw ManagedExternally::undetermined($feature, $problem);
        }
    }

    /** @param array<string, mixed> $context */
    private function value(string $feature, Subject $subject, array $context): mixed
    {
        $driver = $this->flagstone->driver();
        $variant = $driver->variant($feature, $subject->company, $context);

        return $variant === null ? true : $driver->value($feature, $subject->company, $context, $variant);
    }

    private function fallBack(string $feature, mixed $scope): mixed
    {
        $store = $this->fallback->store();
        if ($store !== null) {
            return $store->get($feature, $scope);
        }
        if (isset($this->resolvers[$feature])) {
            return ($this->resolvers[$feature])($scope);
        }
        Event::dispatch(new UnknownFeatureResolved($feature, $scope));

        return false;
    }
}
