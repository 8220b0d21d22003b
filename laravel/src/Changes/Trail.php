<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\Value;
use RuntimeException;

/**
 * The changes that a store's audit trail tells of, oldest first.
 *
 * A publish has two records; one whose publisher died between them was made if a later change found its generation.
 */
final class Trail
{
    /** @param string $store its directory */
    public function __construct(private readonly string $store)
    {
    }

    /**
     * Number and time of the last change; zero where there was none.
     *
     * @return array{int, string}
     * @throws RuntimeException where the trail cannot be read, as all these do
     */
    public function last(): array
    {
        $last = [0, ''];
        foreach ($this->made() as $seq => $record) {
            $last = [$seq, Value::text($record, 'at') ?? ''];
        }

        return $last;
    }

    /**
     * What was made after the change of that number and time. Where the trail has no such change, a backup was restored: then
     * what is younger.
     *
     * @param string $at empty where only the number is known
     * @return iterable<int, FlagChanged> by number
     */
    public function after(int $seq, string $at): iterable
    {
        $known = $seq === 0 || $at === '';
        foreach ($known ? [] : $this->made() as $number => $record) {
            $known = $known || ($number === $seq && Value::text($record, 'at') === $at);
        }
        foreach ($this->made() as $number => $record) {
            if ($known ? $number > $seq : (Value::text($record, 'at') ?? '') > $at) {
                yield $number => $this->event($number, $record);
            }
        }
    }

    /**
     * The changes that were made. Of a publish the record of the intention, which has the differences.
     *
     * @return iterable<int, array<array-key, mixed>> by number
     */
    private function made(): iterable
    {
        $trail = @\fopen("{$this->store}/audit.jsonl", 'rb');
        if ($trail === false) {
            throw new RuntimeException("There is no audit trail that can be read in the store \"{$this->store}\"");
        }
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

    /** @param array<array-key, mixed> $record */
    private function event(int $seq, array $record): FlagChanged
    {
        $environment = Value::text($record, 'environment') ?? '';

        return new FlagChanged(
            "$environment-$seq",
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
