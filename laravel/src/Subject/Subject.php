<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Contracts\Driver;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Authenticatable;
use InvalidArgumentException;

/**
 * Who a question is asked for: a company, and attributes that some flags' rules read.
 */
final class Subject
{
    /** @var array<string, list<string>> by flag: the attributes that it reads */
    private array $reads = [];

    /** @var ?list<string> attributes that any flag reads */
    private ?array $readByAny = null;

    /** @var array<string, true> flags whose off was looked into */
    private array $explained = [];

    /** The company's key. */
    public readonly int|string|null $company;

    /** Why the company cannot be determined, and so every flag is off; null: it is `company`. */
    private ?string $problem = null;

    /**
     * @param mixed $company what for() takes; not an int|string, since PHP would make the JSON of a collection a string of it
     * @param array<string, mixed>|Closure $context attributes; a closure that gives them runs once, when a flag
     *     that reads attributes is asked for the first time
     * @param bool $signedIn whether a user stands behind it
     * @throws InvalidArgumentException for what is no company
     */
    public function __construct(
        mixed $company = null,
        private array|Closure $context = [],
        public readonly bool $signedIn = false,
    ) {
        $this->company = Company::key($company);
    }

    /**
     * A subject whose company cannot be determined. No company at all passes every list of denied ones, so each flag is off for this
     * one; in local and testing asking is an exception.
     *
     * @param string $problem a sentence for whoever mends it
     */
    public static function unknown(string $problem, bool $signedIn = false): self
    {
        $subject = new self(null, [], $signedIn);
        $subject->problem = $problem;

        return $subject;
    }

    /** Why the company cannot be determined; null where it can. */
    public function problem(): ?string
    {
        return $this->problem;
    }

    /**
     * Of a user: of the user's company, as config/flagstone.php, `subject`, finds it.
     *
     * @param array<string, mixed> $context wins over what company and user give
     * @throws InvalidArgumentException for a user whose company nothing names
     */
    public static function of(mixed $company, array $context = []): self
    {
        if ($company instanceof Authenticatable && !\method_exists($company, 'flagstoneCompany')) {
            $subject = Container::getInstance()->make(Subjects::class)->ofNamed($company) ?? throw new InvalidArgumentException(\sprintf(
                'A company is expected, the user %s given, and `subject` in config/flagstone.php names no user:ATTRIBUTE; pass the company',
                \get_debug_type($company),
            ));
            if ($subject->problem !== null) {
                throw new InvalidArgumentException($subject->problem);
            }

            return new self($subject->company, static fn (): array => $context + $subject->context(), $subject->signedIn);
        }

        return new self(
            Company::key($company),
            Context::has($company) ? static fn (): array => $context + Context::of($company) : $context,
        );
    }

    /** @return array<string, mixed> */
    public function context(): array
    {
        $given = $this->context;
        if (!$given instanceof Closure) {
            return $given;
        }
        /** @var array<string, mixed> $context */
        $context = $given();
        $this->context = $context;

        return $context;
    }

    /**
     * What to send along with a question: nothing where the flag reads nothing.
     *
     * @param array<string, mixed> $more from the one who asks; wins
     * @return array<string, mixed>
     */
    public function contextFor(string $flag, Driver $driver, array $more = []): array
    {
        if ($this->context === [] || $this->reads($flag, $driver) === []) {
            return $more;
        }

        return $more + $this->context();
    }

    /** @return list<string> the attributes that the flag reads */
    public function reads(string $flag, Driver $driver): array
    {
        return $this->reads[$flag] ??= $driver->needs($flag);
    }

    /**
     * What to send along when every flag is asked for: nothing where none reads anything.
     *
     * @param array<string, mixed> $more from the one who asks; wins
     * @return array<string, mixed>
     */
    public function contextForAll(Driver $driver, array $more = []): array
    {
        return $this->context === [] || $this->readByAny($driver) === [] ? $more : $more + $this->context();
    }

    /**
     * What travels with a queued job: of the attributes, those that any flag reads.
     *
     * @return array<string, mixed>
     */
    public function contextForJobs(Driver $driver): array
    {
        $read = $this->context === [] ? [] : $this->readByAny($driver);

        return $read === [] ? [] : \array_intersect_key($this->context(), \array_flip($read));
    }

    /** True the first time it is asked for a flag. */
    public function firstOff(string $flag): bool
    {
        $first = !isset($this->explained[$flag]);
        $this->explained[$flag] = true;

        return $first;
    }

    /** @return list<string> attributes that any flag reads */
    public function readByAny(Driver $driver): array
    {
        return $this->readByAny ??= \array_values(
            \array_unique(\array_merge(...\array_map($driver->needs(...), $driver->names()))),
        );
    }
}
