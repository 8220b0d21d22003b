<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Closure;
use Flagstone\Laravel\Events\FlagChanged;
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
        $known = \json_decode((string) \stream_get_contents($place), true);
        $known = \is_array($known) ? $known : null;
        $handed = 0;
        foreach ($this->made($trail) as $record) {
            if ($known === null || $record['seq'] <= $known['seq']) {
                $last = $record;
                continue;
            }
            $each($this->event($record));
            $this->keep($place, $record);
            $handed++;
        }
        if ($known === null) {
            $this->keep($place, $last ?? ['seq' => 0]);
        }

        return $handed;
    }

    /**
     * The changes that were made. Of a publish the record of the intention, which has the differences.
     *
     * @param resource $trail
     *
     * @return iterable<array<string, mixed>>
     */
    private function made($trail): iterable
    {
        $begun = null;
        while (($line = \fgets($trail)) !== false) {
            $record = \json_decode($line, true);
            if (!\is_array($record) || !isset($record['seq'], $record['outcome'])) {
                continue;
            }
            $intention = $record['intention'] ?? null;
            if ($begun !== null) {
                $made = $intention === $begun['seq'] ? $record['outcome'] === 'done' : $record['from'] === $begun['to'];
                if ($made) {
                    yield $begun;
                }
                $begun = null;
            }
            if ($record['outcome'] === 'intended') {
                $begun = $record;
            } elseif ($record['outcome'] === 'done' && $intention === null && $record['action'] !== 'init') {
                yield $record;
            }
        }
    }

    /**
     * @param resource $place
     * @param array<string, mixed> $record
     */
    private function keep($place, array $record): void
    {
        // Of one length, so that no death leaves a half of the one and a half of the other.
        $text = \str_pad((string) \json_encode(['seq' => $record['seq']]), 40) . "\n";
        \rewind($place);
        if (\fwrite($place, $text) !== \strlen($text) || !\fflush($place)) {
            throw new RuntimeException("Cannot write {$this->place}");
        }
    }

    /** @param array<string, mixed> $record */
    private function event(array $record): FlagChanged
    {
        return new FlagChanged(
            $record['environment'] . '-' . $record['seq'],
            (string) $record['at'],
            (string) $record['environment'],
            (string) $record['action'],
            $record['flag'] ?? null,
            (string) $record['actor']['user'],
            (string) $record['actor']['host'],
            $record['reason'] ?? null,
            (int) $record['to'],
            $record['differences'] ?? [],
        );
    }
}
