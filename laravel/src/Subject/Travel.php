<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Contracts\Driver;
use Illuminate\Contracts\Queue\Job;
use WeakMap;

/**
 * Takes whoever asks along in a queued job, and asks for that subject while the job runs.
 *
 * The job's payload carries the company, and those attributes that some flag's rules read. Payloads are not encrypted.
 */
final class Travel
{
    private const KEY = 'flagstone';

    /** @var WeakMap<Job, int> the running jobs' tokens; a job that is gone has ended */
    private WeakMap $running;

    public function __construct(private readonly Subjects $subjects)
    {
        $this->running = new WeakMap();
    }

    /** @return array<string, array{company: int|string|null, context: array<string, mixed>}> what a payload gains */
    public function payload(Driver $driver): array
    {
        $subject = $this->subjects->current();
        $context = $subject->contextForJobs($driver);

        return $subject->company === null && $context === []
            ? []
            : [self::KEY => ['company' => $subject->company, 'context' => $context]];
    }

    public function begin(Job $job): void
    {
        $carried = $job->payload()[self::KEY] ?? null;
        if (\is_array($carried)) {
            $subject = new Subject($carried['company'] ?? null, $carried['context'] ?? []);
            $this->running[$job] = $this->subjects->begin($subject);
        }
    }

    /** Ended well or badly; asked twice it does nothing. */
    public function end(Job $job): void
    {
        if (isset($this->running[$job])) {
            $this->subjects->end($this->running[$job]);
            unset($this->running[$job]);
        }
    }

    /** A worker between two jobs: none is running, whatever has become of the last. */
    public function endAll(): void
    {
        foreach ($this->running as $token) {
            $this->subjects->end($token);
        }
        $this->running = new WeakMap();
    }
}
