<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\SafeCall;
use Illuminate\Container\Container;
use Illuminate\Contracts\Encryption\Encrypter;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Contracts\Queue\ShouldBeEncrypted;
use Illuminate\Queue\Jobs\SyncJob;
use WeakMap;

/**
 * Carries the subject in a queued job, and asks for it while the job runs.
 *
 * The job's payload has the company, and those attributes that some flag's rules read: as they are, or encrypted if the job is. A
 * payload is never refused, and a job never stopped: an attribute that cannot be carried or read is reported. The subject is
 * unknown then, and every flag is off; of attributes that are unknown no rule holds.
 */
final class JobSubject
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
     * @param mixed $job the queued job: an object, or a class's name
     * @return array<string, mixed> additions to a payload
     */
    public function payload(?Driver $driver, mixed $job): array
    {
        $subject = $this->subjects->current();
        $problem = $subject->problem();
        if ($problem !== null) {
            return [self::KEY => Portable::unknown($problem)];
        }
        $context = $driver === null ? null : SafeCall::or(null, static fn (): array => $subject->contextForJobs($driver));
        if ($subject->company === null && $context === []) {
            return [];
        }
        $carried = Portable::pack($subject->company, $context);

        return [self::KEY => self::isSecret($job) ? self::encrypter()->encrypt($carried) : $carried];
    }

    /**
     * The current subject for work that runs later or elsewhere without a payload. Never throws: an error is reported.
     *
     * @return array<string, mixed> same as in a payload
     */
    public static function carried(): array
    {
        return SafeCall::or(self::lost(), static function (): array {
            $app = Container::getInstance();
            $driver = SafeCall::or(null, static fn (): Driver => $app->make(Flagstone::class)->driver());

            return $app->make(self::class)->payload($driver, null);
        });
    }

    /** @return array<string, mixed> additions to a payload if payload() fails */
    public static function lost(): array
    {
        return [self::KEY => Portable::unknown('it could not be found out when the job was dispatched; the log of that time has the error')];
    }

    public function begin(Job $job): void
    {
        $payload = $job->payload();
        // A sync job without a subject is part of the code that dispatched it. Any other has none, whatever user an earlier job signed in.
        if (isset($payload[self::KEY]) || !$job instanceof SyncJob) {
            $this->running[$job] = $this->subjects->begin(self::carriedIn($payload), false);
        }
    }

    /** Ends the preparation of the job's surroundings: a tenant that becomes current from now on is set inside the job. */
    public function start(Job $job): void
    {
        if (isset($this->running[$job])) {
            $this->subjects->start($this->running[$job]);
        }
    }

    /**
     * The subject of a payload.
     *
     * @param array<array-key, mixed> $payload
     */
    public static function carriedIn(array $payload): Subject
    {
        $carried = $payload[self::KEY] ?? null;
        $unread = Subject::unknown('what the job carries of it cannot be read; the log has the error');

        return $carried === null ? new Subject() : SafeCall::or($unread, static fn (): Subject => self::read($carried));
    }

    private static function read(mixed $carried): Subject
    {
        $carried = \is_string($carried) ? self::encrypter()->decrypt($carried) : $carried;

        return Portable::unpack(\is_array($carried) ? $carried : []);
    }

    /** Ends the job's subject, whatever the result; a second call does nothing. */
    public function end(Job $job): void
    {
        $acting = $this->running[$job] ?? null;
        if ($acting !== null) {
            $this->subjects->end($acting);
            unset($this->running[$job]);
        }
    }

    /** Decides like Laravel itself whether to encrypt the job. */
    private static function isSecret(mixed $job): bool
    {
        $wants = $job instanceof ShouldBeEncrypted || \is_object($job) && ($job->shouldBeEncrypted ?? false) === true;

        return $wants && Container::getInstance()->bound(Encrypter::class);
    }

    private static function encrypter(): Encrypter
    {
        return Container::getInstance()->make(Encrypter::class);
    }

    /** Resets a worker between two jobs: none is running, whatever the last one left. */
    public function endAll(): void
    {
        foreach ($this->running as $acting) {
            $this->subjects->end($acting);
        }
        $this->running = new WeakMap();
    }
}
