<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Closure;
use Flagstone\Laravel\Exceptions\FeatureIsOff;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Portable;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Value;
use Illuminate\Container\Container;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Queue\Jobs\SyncJob;
use UnitEnum;

/**
 * Middleware of a job that runs only while flags are on for its company: the one that dispatched it, or the one named here.
 *
 *     public function middleware(): array
 *     {
 *         return [RequiresFeature::for('invoicing')->company($this->company)];
 *     }
 *
 * While one is off the job goes back to the queue, so that a flag that was killed loses nothing. As with Laravel's own
 * middleware that release, each time counts as an attempt: give the job `$tries = 0` or `retryUntil()`. The connection "sync"
 * has no queue to go back to, and throws an exception.
 */
final class RequiresFeature
{
    private const RELEASE = 'release';
    private const FAIL = 'fail';
    private const SKIP = 'skip';

    private string $otherwise = self::RELEASE;
    private int $seconds = 60;
    /** The subject to ask for; null: the one that dispatched the job. */
    private ?Subject $subject = null;

    /** @param list<string> $flags all must be on */
    private function __construct(private array $flags)
    {
    }

    /** Requires all of these flags to be on. */
    public static function for(string|UnitEnum $flag, string|UnitEnum ...$more): self
    {
        return new self(\array_map(Flagstone::key(...), [$flag, ...\array_values($more)]));
    }

    /**
     * Asks for this company; null for none at all.
     *
     * @param array<string, mixed> $context attributes in addition to a model's flagstoneContext()
     */
    public function company(mixed $company, array $context = []): self
    {
        $this->subject = Subject::of($company, $context);

        return $this;
    }

    /** Sets the seconds until the job is tried again; the default is 60. */
    public function releaseAfter(int $seconds): self
    {
        $this->seconds = \max(0, $seconds);

        return $this;
    }

    /** Lets the job fail: it is kept with the failed jobs, its failed() is called. */
    public function fail(): self
    {
        $this->otherwise = self::FAIL;

        return $this;
    }

    /** Drops the job, as if it had been done. */
    public function skip(): self
    {
        $this->otherwise = self::SKIP;

        return $this;
    }

    /** @throws FeatureIsOff if the job could neither go back nor fail */
    public function handle(object $job, Closure $next): mixed
    {
        $flagstone = Container::getInstance()->make(Flagstone::class);
        $subject = $this->subject ?? $flagstone->subject();
        $questions = new Questions($flagstone, $subject);
        foreach ($this->flags as $flag) {
            if (!$questions->enabled($flag)) {
                $this->refuse($job, FeatureIsOff::for($flag, $subject->company, $subject->problem()));

                return null;
            }
        }

        return $next($job);
    }

    /**
     * Serializes the middleware with a job that carries it: a company's attributes are looked up then.
     *
     * @return array<string, mixed>
     */
    public function __serialize(): array
    {
        $subject = $this->subject === null ? null : Portable::pack($this->subject->company, $this->subject->context());

        return ['flags' => $this->flags, 'otherwise' => $this->otherwise, 'seconds' => $this->seconds, 'subject' => $subject];
    }

    /** @param array<string, mixed> $data */
    public function __unserialize(array $data): void
    {
        $this->flags = Value::texts($data, 'flags');
        $this->otherwise = Value::text($data, 'otherwise') ?? self::RELEASE;
        $this->seconds = Value::int($data, 'seconds') ?? 60;
        $subject = Value::items($data, 'subject');
        $this->subject = $subject === [] ? null : Portable::unpack($subject);
    }

    private function refuse(object $job, FeatureIsOff $reason): void
    {
        if ($this->otherwise === self::SKIP) {
            return;
        }
        $queued = \get_object_vars($job)['job'] ?? null;
        if (!$queued instanceof Job || $queued instanceof SyncJob && $this->otherwise === self::RELEASE) {
            throw $reason;
        }
        $this->otherwise === self::FAIL ? $queued->fail($reason) : $queued->release($this->seconds);
    }
}
