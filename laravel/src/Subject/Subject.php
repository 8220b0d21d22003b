<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Contracts\Driver;
use Illuminate\Container\Container;
use Illuminate\Contracts\Auth\Authenticatable;
use InvalidArgumentException;
use LogicException;

/**
 * The subject of a question: a company, and attributes that some flags' rules read.
 */
final class Subject
{
    /** @var array<string, list<string>> by flag: the attributes that it reads */
    private array $reads = [];

    /** @var ?list<string> attributes that any flag reads */
    private ?array $readByAny = null;

    /** @var array<string, true> flags whose off was checked */
    private array $explained = [];

    /** True while the closure of `context` runs. */
    private bool $reading = false;

    /** The company's key; null: no company, or an unknown one. */
    public readonly int|string|null $company;

    /** Reason why the company cannot be determined, by which every flag is off; null: it is `company`. */
    private ?string $problem = null;

    /**
     * @param mixed $company the argument of for(); not an int|string, since PHP would turn a collection into its JSON
     * @param array<string, mixed>|Closure $context attributes; a closure that returns them runs once, when a flag that reads
     *     attributes is asked for the first time
     * @param bool $signedIn true if it is a user's
     * @throws InvalidArgumentException for a value that is no company
     */
    public function __construct(
        mixed $company = null,
        private array|Closure $context = [],
        public readonly bool $signedIn = false,
    ) {
        $this->company = Company::key($company);
    }

    /**
     * A subject whose company cannot be determined. Every flag is off for it, since a question without a company would pass every
     * list of denied ones; in local and testing asking is an exception.
     *
     * @param string $problem a sentence that helps to mend it
     */
    public static function unknown(string $problem, bool $signedIn = false): self
    {
        $subject = new self(null, [], $signedIn);
        $subject->problem = $problem;

        return $subject;
    }

    /** Reason why the company cannot be determined; null if it can. */
    public function problem(): ?string
    {
        return $this->problem;
    }

    /**
     * Makes the subject of a company, or of a user, whose company is found by `subject` in config/flagstone.php.
     *
     * @param array<string, mixed> $context wins over the attributes of company and user
     * @throws InvalidArgumentException for a user whose company is not configured
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
        if ($this->reading) {
            // Without attributes, each rule that asks for one to be missing would hold, and reading them again would never end.
            throw new LogicException('A flag that reads attributes is asked while they are being read, such as in DB::listen() or in flagstoneContext()');
        }
        $this->reading = true;
        try {
            /** @var array<string, mixed> $context */
            $context = $given();
            $this->context = $context;
        } finally {
            $this->reading = false;
        }

        return $context;
    }

    /**
     * The attributes for a question: none if the flag reads none.
     *
     * @param array<string, mixed> $more the caller's own, which win
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
     * The attributes for a question about every flag: none if no flag reads any.
     *
     * @param array<string, mixed> $more the caller's own, which win
     * @return array<string, mixed>
     */
    public function contextForAll(Driver $driver, array $more = []): array
    {
        return $this->context === [] || $this->readByAny($driver) === [] ? $more : $more + $this->context();
    }

    /**
     * The attributes that travel with a queued job: those that any flag reads.
     *
     * @return array<string, mixed>
     */
    public function contextForJobs(Driver $driver): array
    {
        $read = $this->context === [] ? [] : $this->readByAny($driver);

        return $read === [] ? [] : \array_intersect_key($this->context(), \array_flip($read));
    }

    /** Returns true at the first call for a flag. */
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
