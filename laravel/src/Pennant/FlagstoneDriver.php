<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Value;
use Flagstone\Laravel\Warnings;
use Illuminate\Support\Facades\Event;
use Laravel\Pennant\Contracts\CanListStoredFeatures;
use Laravel\Pennant\Contracts\DefinesFeaturesExternally;
use Laravel\Pennant\Contracts\Driver;
use Laravel\Pennant\Events\UnknownFeatureResolved;

/**
 * Laravel Pennant's driver "flagstone": Pennant asks, Flagstone answers. For compatibility: Pennant searches a list and fires an
 * event at each question, which takes longer than the answer.
 *
 * A feature that Flagstone does not have falls back to its Pennant definition, and is resolved anew at each question, since
 * nothing is stored. What a flag that is on gives is its variant's value, else its variant's name, else true.
 */
final class FlagstoneDriver implements Driver, CanListStoredFeatures, DefinesFeaturesExternally
{
    /** @var array<string, callable(mixed): mixed> */
    private array $resolvers = [];

    public function __construct(
        private readonly Flagstone $flagstone,
        private readonly Scopes $scopes,
        private readonly Warnings $warnings,
    ) {
    }

    /** What answers where Flagstone has no such flag. */
    public function define(string $feature, callable $resolver): void
    {
        $this->resolvers[$feature] = $resolver;
    }

    /** @return list<string> Flagstone's flags, and what is defined beside them */
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

    /** @return list<string> */
    public function stored(): array
    {
        return $this->flagstone->driver()->names();
    }

    /**
     * @param array<array-key, mixed> $features scopes by feature
     * @return array<array-key, array<array-key, mixed>> answers in that shape and order
     */
    public function getAll(array $features): array
    {
        $answers = [];
        foreach ($features as $feature => $scopes) {
            $answers[$feature] = \array_map(fn (mixed $scope): mixed => $this->get((string) $feature, $scope), \is_array($scopes) ? $scopes : []);
        }

        return $answers;
    }

    public function get(string $feature, mixed $scope): mixed
    {
        $driver = $this->flagstone->driver();
        $subject = $this->scopes->subject($scope);
        if ($subject !== null) {
            $context = $subject->contextFor($feature, $driver);
            if ($driver->enabled($feature, $subject->company, $context)) {
                return $this->value($feature, $subject, $context);
            }
        }
        $reason = $driver->explain($feature, $subject?->company)['reason'];
        if ($reason === 'unknown_flag' || $reason === 'no_snapshot') {
            return $this->fallBack($feature, $scope);
        }
        if ($subject === null) {
            $this->warnings->unknownScope($feature, $scope);
        } else {
            $this->flagstone->noted($feature, $subject);
        }

        return false;
    }

    /** @throws ManagedExternally */
    public function set(string $feature, mixed $scope, mixed $value): void
    {
        throw ManagedExternally::set($feature, $this->scopes->subject($scope)?->company, $value);
    }

    /** @throws ManagedExternally */
    public function setForAllScopes(string $feature, mixed $value): void
    {
        throw ManagedExternally::setForAll($feature, $value);
    }

    /** @throws ManagedExternally */
    public function delete(string $feature, mixed $scope): void
    {
        throw ManagedExternally::delete($feature, $this->scopes->subject($scope)?->company);
    }

    /**
     * @param ?array<array-key, mixed> $features null: all
     * @throws ManagedExternally
     */
    public function purge(?array $features): void
    {
        throw ManagedExternally::purge($features === null ? null : Value::texts(['features' => $features], 'features'));
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
        if (isset($this->resolvers[$feature])) {
            return ($this->resolvers[$feature])($scope);
        }
        Event::dispatch(new UnknownFeatureResolved($feature, $scope));

        return false;
    }
}
