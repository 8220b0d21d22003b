<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Closure;
use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\Value;
use RuntimeException;

/**
 * The store's audit trail, read from where it was left: each change that was made is handed on at least once, in order.
 *
 * The place is kept in a file of the application, written after each change that was handed on. A publish has two records; one whose
 * publisher died between them was made if a later change found its generation.
 */
final class Trail
{
    public function __construct(private readonly string $place)
    {
    }

    /**
     * Hands on what was not handed on yet. The first time that is nothing: it begins with what happens from then on.
     *
     * @param ?string $store its directory
     * @param Closure(FlagChanged): void $each
     *
     * @return ?int how many; none where another process is at it
     *
     * @throws RuntimeException when there is no store, or the place cannot be written
     */
    public function follow(?string $store, Closure $each): ?int
    {
        $trail = $store === null ? false : @\fopen($store . '/audit.jsonl', 'rb');
        if ($trail === false) {
            throw new RuntimeException("There is no audit trail that can be read in the store \"$store\"");
        }
        $place = @\fopen($this->place, 'c+b');
        if ($place === false) {
            throw new RuntimeException("Cannot write {$this->place}");
        }
        if (!\flock($place, \LOCK_EX | \LOCK_NB)) {
            return null;
        }
        $known = Value::int(\json_decode((string) \stream_get_contents($place)), 'seq');
        $last = $handed = 0;
        foreach ($this->made($trail) as $seq => $record) {
            $last = $seq;
            if ($known !== null && $seq > $known) {
                $each($this->event($record));
                $this->keep($place, $seq);
                $handed++;
            }
        }
        if ($known === null) {
            $this->keep($place, $last);
        }

        return $handed;
    }

    /**
     * The changes that were made. Of a publish the record of the intention, which has the differences.
     *
     * @param resource $trail
     *
     * @return iterable<int, array<array-key, mixed>> by number
     */
    private function made(mixed $trail): iterable
    {
        $begun = null;
        while (($line = \fgets($trail)) !== false) {
            $record = Value::items(\json_decode($line, true));
            $seq = Value::int($record, 'seq');
            $outcome = Value::text($record, 'outcome');
            if ($seq === null || $outcome === null) {
                continue;
            }
            $intention = Value::int($record, 'intention');
            if ($begun !== null) {
                [$number, $change] = $begun;
                if ($intention === $number ? $outcome === 'done' : Value::int($record, 'from') === Value::int($change, 'to')) {
                    yield $number => $change;
                }
                $begun = null;
            }
            if ($outcome === 'intended') {
                $begun = [$seq, $record];
            } elseif ($outcome === 'done' && $intention === null && Value::text($record, 'action') !== 'init') {
                yield $seq => $record;
            }
        }
    }

    /** @param resource $place */
    private function keep(mixed $place, int $seq): void
    {
        // Of one length, so that no death leaves a half of the one and a half of the other.
        $text = \str_pad((string) \json_encode(['seq' => $seq]), 40) . "\n";
        \rewind($place);
        if (\fwrite($place, $text) !== \strlen($text) || !\fflush($place)) {
            throw new RuntimeException("Cannot write {$this->place}");
        }
    }

    /** @param array<array-key, mixed> $record */
    private function event(array $record): FlagChanged
    {
        $environment = Value::text($record, 'environment') ?? '';

        return new FlagChanged(
            "$environment-" . (Value::int($record, 'seq') ?? 0),
            Value::text($record, 'at') ?? '',
            $environment,
            Value::text($record, 'action') ?? '',
            Value::text($record, 'flag'),
            Value::text($record, 'actor', 'user') ?? '',
            Value::text($record, 'actor', 'host') ?? '',
            Value::text($record, 'reason'),
            Value::int($record, 'to') ?? 0,
            \array_values(\array_filter(Value::items($record, 'differences'), is_array(...))),
        );
    }
}
