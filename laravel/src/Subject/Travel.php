<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Reported;
use Illuminate\Container\Container;
use Illuminate\Contracts\Encryption\Encrypter;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Contracts\Queue\ShouldBeEncrypted;
use WeakMap;

/**
 * Takes whoever asks along in a queued job, and asks for that subject while the job runs.
 *
 * The job's payload carries the company, and those attributes that some flag's rules read: as they are, or encrypted where the
 * job is. A payload is never refused: what cannot be carried is reported, and the job goes without it.
 */
final class Travel
{
    private const KEY = 'flagstone';

    /** @var WeakMap<Job, Acting> the running jobs; a job that is gone has ended */
    private WeakMap $running;

    public function __construct(private readonly Subjects $subjects)
    {
        $this->running = new WeakMap();
    }

    /**
     * @param ?Driver $driver knows which attributes flags read; null: none travels
     * @param mixed $job what is queued: an object, or a class's name
     * @return array<string, mixed> what a payload gains
     */
    public function payload(?Driver $driver, mixed $job): array
    {
        $subject = $this->subjects->current();
        $context = $driver === null ? [] : Reported::or([], static fn (): array => $subject->contextForJobs($driver));
        if ($subject->company === null && $context === []) {
            return [];
        }
        $carried = Portable::pack($subject->company, $context);

        return [self::KEY => self::isSecret($job) ? self::encrypter()->encrypt($carried) : $carried];
    }

    public function begin(Job $job): void
    {
        $carried = $job->payload()[self::KEY] ?? null;
        $carried = \is_string($carried) ? self::encrypter()->decrypt($carried) : $carried;
        if (\is_array($carried)) {
            $this->running[$job] = $this->subjects->begin(Portable::unpack($carried));
        }
    }

    /** Ended well or badly; asked twice it does nothing. */
    public function end(Job $job): void
    {
        $acting = $this->running[$job] ?? null;
        if ($acting !== null) {
            $this->subjects->end($acting);
            unset($this->running[$job]);
        }
    }

    /** As Laravel itself decides whether to encrypt the job. */
    private static function isSecret(mixed $job): bool
    {
        $wants = $job instanceof ShouldBeEncrypted || \is_object($job) && ($job->shouldBeEncrypted ?? false) === true;

        return $wants && Container::getInstance()->bound(Encrypter::class);
    }

    private static function encrypter(): Encrypter
    {
        return Container::getInstance()->make(Encrypter::class);
    }

    /** A worker between two jobs: none is running, whatever has become of the last. */
    public function endAll(): void
    {
        foreach ($this->running as $acting) {
            $this->subjects->end($acting);
        }
        $this->running = new WeakMap();
    }
}
