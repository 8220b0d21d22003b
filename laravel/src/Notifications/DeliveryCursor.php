<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Closure;
use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\Replacement;
use Flagstone\Laravel\SharedFile;
use Flagstone\Laravel\Value;
use RuntimeException;

/**
 * Progress of an endpoint, in a file of the application. The file is on disk and complete when a method returns: a crash leaves
 * the old file or the new.
 */
final class DeliveryCursor
{
    /** Seconds: the first pause, the longest pause, and the time for which one change is tried. */
    public const FIRST_PAUSE_SECONDS = 5;
    public const MAX_PAUSE_SECONDS = 3600;
    public const RETRY_SECONDS = 3 * 86400;
    /** Maximum number of listed changes that were given up. */
    private const MAX_GIVEN_UP = 20;

    /** Number of the last record that was delivered; null: nothing is known yet. */
    public ?int $seq = null;
    /** Time of that record, in the trail's notation. */
    public string $at = '';
    /** Start of its line in the trail, in bytes; 0: not known. */
    public int $position = 0;
    /** Number of failures of the next change, time of the first, and time of the next attempt; Unix seconds. */
    public int $failures = 0;
    public int $since = 0;
    public int $retryAt = 0;
    /** Error of the last failure. */
    public ?string $error = null;
    /** @var list<array{id: string, error: string}> the last changes that were given up */
    public array $givenUp = [];

    /** @var ?resource held as long as this process delivers to the endpoint */
    private mixed $lock = null;

    public function __construct(private readonly string $path)
    {
        $found = self::asOwner($path, static fn (): array => (new SharedFile($path))->read());
        $this->seq = Value::int($found, 'seq');
        $this->at = Value::text($found, 'at') ?? '';
        $this->position = Value::int($found, 'position') ?? 0;
        $this->failures = Value::int($found, 'failures') ?? 0;
        $this->since = Value::int($found, 'since') ?? 0;
        $this->retryAt = Value::int($found, 'retry_at') ?? 0;
        $this->error = Value::text($found, 'error');
        foreach (Value::items($found, 'given_up') as $one) {
            $this->givenUp[] = ['id' => Value::text($one, 'id') ?? '', 'error' => Value::text($one, 'error') ?? ''];
        }
    }

    /**
     * The place, locked by this process; null if another holds it.
     *
     * @throws RuntimeException if the file cannot be written
     */
    public static function lock(string $path): ?self
    {
        $lock = self::asOwner($path, static fn (): mixed => (new SharedFile($path))->lock());
        if ($lock === false) {
            $owner = @\fileowner("$path.lock");
            throw new RuntimeException("Cannot write $path.lock" . ($owner === false ? '' : ", which belongs to user $owner: remove it"));
        }
        if ($lock === null) {
            return null;
        }
        $place = new self($path);
        $place->lock = $lock;

        return $place;
    }

    /** Moves past a change that was delivered, or is of no interest. */
    public function advance(int $seq, string $at, int $position): void
    {
        [$this->seq, $this->at, $this->position] = [$seq, $at, $position];
        [$this->failures, $this->since, $this->retryAt, $this->error] = [0, 0, 0, null];
        $this->write();
    }

    /**
     * Schedules another attempt after 5 s, 10 s, 20 s … up to an hour, up to half of that sooner; gives up after three days.
     *
     * @return bool true if it was given up
     */
    public function failed(int $seq, FlagChanged $change, int $position, string $error, int $now): bool
    {
        if ($this->failures > 0 && $now - $this->since >= self::RETRY_SECONDS) {
            $this->givenUp = \array_slice([...$this->givenUp, ['id' => $change->id, 'error' => $error]], -self::MAX_GIVEN_UP);
            $this->advance($seq, $change->at, $position);

            return true;
        }
        $this->since = $this->failures === 0 ? $now : $this->since;
        $pause = \min(self::MAX_PAUSE_SECONDS, self::FIRST_PAUSE_SECONDS * 2 ** \min($this->failures, 20));
        $this->retryAt = $now + (int) \ceil($pause * \random_int(50, 100) / 100);
        $this->failures++;
        $this->error = $error;
        $this->write();

        return false;
    }

    private function write(): void
    {
        if ($this->lock === null) {
            throw new RuntimeException("{$this->path} is not held");
        }
        $text = (string) \json_encode([
            'seq' => $this->seq, 'at' => $this->at, 'position' => $this->position, 'failures' => $this->failures, 'since' => $this->since,
            'retry_at' => $this->retryAt, 'error' => $this->error, 'given_up' => $this->givenUp,
        ], \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_INVALID_UTF8_SUBSTITUTE) . "\n";
        if (!self::asOwner($this->path, fn (): bool => Replacement::write($this->path, $text))) {
            throw new RuntimeException("Cannot write {$this->path}");
        }
    }

    /**
     * Runs `$do` as the folder's owner if the process is root: else that user could not go on with the files.
     *
     * @template T
     * @param Closure(): T $do
     * @return T
     */
    private static function asOwner(string $path, Closure $do): mixed
    {
        $folder = \dirname($path);
        $owner = \function_exists('posix_seteuid') && \posix_geteuid() === 0 ? @\fileowner($folder) : false;
        if ($owner === false || $owner === 0) {
            return $do();
        }
        $group = \posix_getegid();
        \posix_setegid((int) \filegroup($folder));
        \posix_seteuid($owner);
        try {
            return $do();
        } finally {
            \posix_seteuid(0);
            \posix_setegid($group);
        }
    }
}
