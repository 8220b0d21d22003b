<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Testing;

use Closure;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Container\Container;
use Illuminate\Http\Request;
use PHPUnit\Framework\Assert;
use Throwable;
use UnitEnum;
use WeakMap;

/**
 * Answers that a test sets, and a record of the questions asked through the package (facade, middleware, Blade, Gate, jobs)
 * with their subjects. assertAskedTimes() does not count questions that only look: all(), explain(), and possible() if it is
 * true. The global functions are answered, and their questions not seen: the extension tells of none.
 */
final class FakeDriver implements Driver
{
    /** @var array<string, list<array{int|string|null, array<string, mixed>}>> company and context, by flag */
    private array $asked = [];

    /** @var ?list<string> the defined flags without those that the test names */
    private ?array $defined = null;

    /** @var array<string, list<array{int|string|null, array<string, mixed>}>> the same, of questions that only looked */
    private array $looked = [];

    /** @var WeakMap<Request, array<string, true>> the flags that ended a request before its subject was known */
    private WeakMap $ended;

    /**
     * @param array<array-key, mixed> $answers the arguments of Flagstone::fake()
     * @param Closure(): Subject $asking returns the current subject
     */
    public function __construct(private readonly Driver $driver, private readonly array $answers, private readonly Closure $asking)
    {
        $this->ended = new WeakMap();
    }

    /**
     * Asserts that the flag was asked for. A closure selects questions: it is given company and context of each.
     *
     * @param mixed $whom a closure, or whatever Flagstone::for() takes; not an int|string, since PHP would turn a model into its JSON
     */
    public function assertAsked(string|UnitEnum $flag, mixed $whom = null): void
    {
        $flag = Flagstone::key($flag);
        Assert::assertTrue(
            $this->matching($flag, $whom) !== [],
            "Flag \"$flag\" was not asked for" . ($whom === null ? '' : ' in that way') . '. ' . $this->summary(),
        );
    }

    /** @param int $times number of questions */
    public function assertAskedTimes(string|UnitEnum $flag, int $times): void
    {
        $flag = Flagstone::key($flag);
        $found = \count($this->asked[$flag] ?? []);
        Assert::assertSame($times, $found, "Flag \"$flag\" was asked for $found times, expected $times.");
    }

    /** @param mixed $whom a closure, or whatever Flagstone::for() takes */
    public function assertNotAsked(string|UnitEnum $flag, mixed $whom = null): void
    {
        $flag = Flagstone::key($flag);
        Assert::assertTrue(
            $this->matching($flag, $whom) === [],
            "Flag \"$flag\" was asked for" . ($whom === null ? '' : ' in that way') . '. ' . $this->summary(),
        );
    }

    public function assertNothingAsked(): void
    {
        Assert::assertSame([], \array_keys($this->asked + $this->looked), 'Flags were asked for. ' . $this->summary());
    }

    /**
     * The driver behind the fake.
     *
     * @internal
     */
    public function faked(): Driver
    {
        return $this->driver;
    }

    public function name(): string
    {
        return $this->driver->name();
    }

    public function enabled(string $flag, int|string|null $company = null, array $context = []): bool
    {
        $this->asked[$flag][] = [$company, $context];

        return $this->driver->enabled($flag, $company, $context);
    }

    public function peek(string $flag, int|string|null $company = null, array $context = []): bool
    {
        $this->asked[$flag][] = [$company, $context];

        return $this->driver->peek($flag, $company, $context);
    }

    public function possible(string $flag): bool
    {
        $possible = $this->driver->possible($flag);
        $company = $this->company();
        if ($possible) {
            $this->looked[$flag][] = [$company, []];
        } elseif ($this->isFirstEnd($flag)) {
            $this->asked[$flag][] = [$company, []];
        }

        return $possible;
    }

    public function variant(string $flag, int|string|null $company = null, array $context = []): ?string
    {
        $this->asked[$flag][] = [$company, $context];

        return $this->driver->variant($flag, $company, $context);
    }

    public function value(
        string $flag,
        int|string|null $company = null,
        array $context = [],
        mixed $default = null,
    ): mixed {
        $this->asked[$flag][] = [$company, $context];
        $told = $this->answers[$flag] ?? null;
        $told = \is_array($told) ? $told[$company ?? ''] ?? null : $told;

        return $told instanceof Variant ? $told->value : $this->driver->value($flag, $company, $context, $default);
    }

    public function explain(string $flag, int|string|null $company = null, array $context = []): array
    {
        $this->looked[$flag][] = [$company, $context];
        $explained = $this->driver->explain($flag, $company, $context);
        if ($explained['reason'] === 'override' && !$explained['enabled'] && $this->isUnknown($flag)) {
            $explained['reason'] = 'unknown_flag';
        }

        return $explained;
    }

    public function all(int|string|null $company = null, array $context = []): array
    {
        $answers = $this->driver->all($company, $context);
        foreach (\array_keys($answers) as $flag) {
            $this->looked[$flag][] = [$company, $context];
        }

        return $answers;
    }

    public function filter(string $flag, array $companies, array $context = []): array
    {
        foreach ($companies as $company) {
            $this->asked[$flag][] = [$company, $context];
        }

        return $this->driver->filter($flag, $companies, $context);
    }

    public function needs(string $flag): array
    {
        return $this->driver->needs($flag);
    }

    public function names(): array
    {
        return $this->driver->names();
    }

    public function status(): array
    {
        return $this->driver->status();
    }

    public function refresh(): bool
    {
        return $this->driver->refresh();
    }

    private function company(): int|string|null
    {
        try {
            return ($this->asking)()->company;
        } catch (Throwable) {
            // The subject is known only after the route's middleware has run.
            return null;
        }
    }

    /** Counts one question per request: a route asks more than once if a flag could be on. */
    private function isFirstEnd(string $flag): bool
    {
        $app = Container::getInstance();
        $request = $app->bound('request') ? $app->make('request') : null;
        if (!$request instanceof Request || $request->route() === null) {
            return true;
        }
        $ended = $this->ended[$request] ?? [];
        $this->ended[$request] = $ended + [$flag => true];

        return !isset($ended[$flag]);
    }

    /** True if the flag is neither faked nor defined, although others are: more likely a typo than a flag that is off. */
    private function isUnknown(string $flag): bool
    {
        if (\array_key_exists($flag, $this->answers)) {
            return false;
        }
        $this->defined ??= \array_values(\array_diff(
            $this->driver->names(),
            \array_map(strval(...), \array_keys($this->answers)),
        ));

        return $this->defined !== [] && !\in_array($flag, $this->defined, true);
    }

    /** @return list<array{int|string|null, array<string, mixed>}> */
    private function matching(string $flag, mixed $whom): array
    {
        $asked = [...$this->asked[$flag] ?? [], ...$this->looked[$flag] ?? []];
        if ($whom === null) {
            return $asked;
        }

        $key = $whom instanceof Closure ? null : Subject::of($whom)->company;
        $matching = [];
        foreach ($asked as [$company, $context]) {
            if ($whom instanceof Closure ? $whom($company, $context) : (string) $company === (string) $key) {
                $matching[] = [$company, $context];
            }
        }

        return $matching;
    }

    private function summary(): string
    {
        $asked = [];
        foreach (\array_merge_recursive($this->asked, $this->looked) as $flag => $questions) {
            $companies = \array_unique(\array_map(static fn (array $question): string => (string) ($question[0] ?? 'none'), $questions));
            $asked[] = "$flag (companies: " . \implode(', ', \array_slice($companies, 0, 10)) . ')';
        }

        $said = $asked === [] ? 'Nothing was.' : 'Asked for: ' . \implode('; ', $asked) . '.';
        $spare = \array_diff(\array_map(strval(...), \array_keys($this->answers)), \array_map(strval(...), \array_keys($this->asked + $this->looked)));

        return $asked === [] || $spare === [] ? $said : "$said Faked, and not asked for: " . \implode(', ', $spare) . '.';
    }
}
