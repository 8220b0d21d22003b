<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\Events\FlagChanged;
use Flagstone\Laravel\Value;
use RuntimeException;

/**
 * Changes in a store's audit trail, oldest first.
 *
 * A publish has two records. If its publisher died between them, it counts as made if a later change found its generation.
 */
final class Trail
{
    /** Start of the store's head; 4 bytes of version, 4 of its size and the store's id follow. */
    private const MAGIC = "\x89FHEAD\r\n";

    private ?string $id = null;

    private int $position = 0;

    /** @param string $store its directory */
    public function __construct(private readonly string $store)
    {
    }

    /**
     * The store's id, 32 hex digits, unique to it.
     *
     * @throws RuntimeException if the store cannot be read; all methods here do
     */
    public function id(): string
    {
        $head = $this->id === null ? (string) @\file_get_contents("{$this->store}/head", false, null, 0, 32) : '';
        if ($this->id === null && (\strlen($head) !== 32 || !\str_starts_with($head, self::MAGIC))) {
            throw new RuntimeException("Cannot read the head of the store \"{$this->store}\"");
        }

        return $this->id ??= \bin2hex(\substr($head, 16));
    }

    /**
     * Number and time of the last change; zero if there was none.
     *
     * @return array{int, string}
     */
    public function last(): array
    {
        $last = [0, ''];
        foreach ($this->made() as $seq => $record) {
            $last = [$seq, Value::text($record, 'at') ?? ''];
        }

        return $last;
    }

    /** Start of the line of the last change that was read, in bytes. */
    public function position(): int
    {
        return $this->position;
    }

    /** True if the trail has the change of that number and time. */
    public function has(int $seq, string $at): bool
    {
        foreach ($this->made() as $number => $record) {
            if ($number === $seq && Value::text($record, 'at') === $at) {
                return true;
            }
        }

        return false;
    }

    /**
     * The changes after the one of that number and time. If the trail has no such change, a backup was restored: then the younger
     * ones.
     *
     * @param string $at empty if only the number is known
     * @param int $position start of that change's line, so that nothing before it is read; 0: not known
     * @return iterable<int, FlagChanged> by number
     */
    public function after(int $seq, string $at, int $position = 0): iterable
    {
        $known = $seq === 0 || $at === '';
        $from = !$known && $position > 0 && $this->begins($position, $seq, $at) ? $position : 0;
        $known = $known || $from > 0 || $this->has($seq, $at);
        foreach ($this->made($from) as $number => $record) {
            if ($known ? $number > $seq : (Value::text($record, 'at') ?? '') > $at) {
                yield $number => $this->event($number, $record);
            }
        }
    }

    /** True if the line of that change begins there. */
    private function begins(int $position, int $seq, string $at): bool
    {
        $trail = $this->open($position - 1);
        $before = \fgetc($trail);
        $record = Value::items(\json_decode((string) \fgets($trail), true));

        return $before === "\n" && Value::int($record, 'seq') === $seq && Value::text($record, 'at') === $at;
    }

    /** @return resource */
    private function open(int $position): mixed
    {
        $trail = @\fopen("{$this->store}/audit.jsonl", 'rb');
        if ($trail === false) {
            throw new RuntimeException("There is no audit trail that can be read in the store \"{$this->store}\"");
        }
        \fseek($trail, $position);

        return $trail;
    }

    /**
     * The completed changes. A publish is represented by its record of intention, which has the differences.
     *
     * @param int $from start of a line, in bytes
     * @return iterable<int, array<array-key, mixed>> by number
     */
    private function made(int $from = 0): iterable
    {
        $trail = $this->open($from);
        $begun = null;
        $next = $from;
        while (($line = \fgets($trail)) !== false) {
            [$begins, $next] = [$next, $next + \strlen($line)];
            $record = Value::items(\json_decode($line, true));
            $seq = Value::int($record, 'seq');
            $outcome = Value::text($record, 'outcome');
            if ($seq === null || $outcome === null) {
                continue;
            }
            $intention = Value::int($record, 'intention');
            if ($begun !== null) {
                [$number, $change, $this->position] = $begun;
                if ($intention === $number ? $outcome === 'done' : Value::int($record, 'from') === Value::int($change, 'to')) {
                    yield $number => $change;
                }
                $begun = null;
            }
            if ($outcome === 'intended') {
                $begun = [$seq, $record, $begins];
            } elseif ($outcome === 'done' && $intention === null && Value::text($record, 'action') !== 'init') {
                $this->position = $begins;
                yield $seq => $record;
            }
        }
    }

    /** @param array<array-key, mixed> $record */
    private function event(int $seq, array $record): FlagChanged
    {
        $at = Value::text($record, 'at') ?? '';

        return new FlagChanged(
            // Same id as in the store's own webhooks. A restored trail continues its old numbers.
            "{$this->id()}-$seq-" . \preg_replace('/[^0-9]+/', '', $at),
            $at,
            Value::text($record, 'environment') ?? '',
            Value::text($record, 'action') ?? '',
            Value::text($record, 'flag'),
            Value::text($record, 'actor', 'user') ?? '',
            Value::text($record, 'actor', 'host') ?? '',
            Value::text($record, 'reason'),
            Value::int($record, 'to') ?? 0,
            \array_values(\array_filter(Value::items($record, 'differences'), is_array(...))),
            Value::text($record, 'actor', 'account'),
            Value::bool($record, 'actor', 'claimed') ?? false,
        );
    }
}
