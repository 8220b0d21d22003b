<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Notifications;

use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\Value;
use RuntimeException;

/**
 * How far an endpoint was told, in a file of the application. It is on the disk when a method returns, whole: a death leaves the old
 * file or the new.
 */
final class Place
{
    /** Seconds: the first pause, the longest, and how long one change is tried. */
    public const FIRST = 5;
    public const LONGEST = 3600;
    public const TRIED = 3 * 86400;
    /** How many changes that were given up are listed. */
    private const LISTED = 20;

    /** The number of the last record that was told; null: nothing is known yet. */
    public ?int $seq = null;
    /** When that was made, as the trail has it. */
    public string $at = '';
    /** How often the next change failed, since when, and when it is tried again; Unix seconds. */
    public int $failures = 0;
    public int $since = 0;
    public int $retryAt = 0;
    /** Why it failed last. */
    public ?string $error = null;
    /** @var list<array{id: string, error: string}> the last ones that were given up */
    public array $givenUp = [];

    /** @var ?resource held as long as this process tells the endpoint */
    private mixed $lock = null;

    public function __construct(private readonly string $path)
    {
        $found = Value::items(\json_decode((string) @\file_get_contents($path), true));
        $this->seq = Value::int($found, 'seq');
        $this->at = Value::text($found, 'at') ?? '';
        $this->failures = Value::int($found, 'failures') ?? 0;
        $this->since = Value::int($found, 'since') ?? 0;
        $this->retryAt = Value::int($found, 'retry_at') ?? 0;
        $this->error = Value::text($found, 'error');
        foreach (Value::items($found, 'given_up') as $one) {
            $this->givenUp[] = ['id' => Value::text($one, 'id') ?? '', 'error' => Value::text($one, 'error') ?? ''];
        }
    }

    /**
     * The place, held by this process; null where another holds it.
     *
     * @throws RuntimeException where the file cannot be written
     */
    public static function hold(string $path): ?self
    {
        $lock = @\fopen("$path.lock", 'cb');
        if ($lock === false) {
            throw new RuntimeException("Cannot write $path.lock");
        }
        if (!\flock($lock, \LOCK_EX | \LOCK_NB)) {
            return null;
        }
        $place = new self($path);
        $place->lock = $lock;

        return $place;
    }

    /** Told, or of no interest: the next one follows. */
    public function moved(int $seq, string $at): void
    {
        [$this->seq, $this->at] = [$seq, $at];
        [$this->failures, $this->since, $this->retryAt, $this->error] = [0, 0, 0, null];
        $this->write();
    }

    /**
     * To be tried again after 5 s, 10 s, 20 s … up to an hour, up to half of that sooner; after three days it is given up.
     *
     * @return bool whether it was given up
     */
    public function failed(int $seq, FlagChanged $change, string $error, int $now): bool
    {
        if ($this->failures > 0 && $now - $this->since >= self::TRIED) {
            $this->givenUp = \array_slice([...$this->givenUp, ['id' => $change->id, 'error' => $error]], -self::LISTED);
            $this->moved($seq, $change->at);

            return true;
        }
        $this->since = $this->failures === 0 ? $now : $this->since;
        $pause = \min(self::LONGEST, self::FIRST * 2 ** \min($this->failures, 20));
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
            'seq' => $this->seq, 'at' => $this->at, 'failures' => $this->failures, 'since' => $this->since,
            'retry_at' => $this->retryAt, 'error' => $this->error, 'given_up' => $this->givenUp,
        ], \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_INVALID_UTF8_SUBSTITUTE) . "\n";
        $temporary = "{$this->path}.tmp";
        $file = @\fopen($temporary, 'wb');
        if ($file === false || \fwrite($file, $text) !== \strlen($text) || !\fsync($file) || !\fclose($file)
            || !@\rename($temporary, $this->path)) {
            throw new RuntimeException("Cannot write {$this->path}");
        }
    }
}
