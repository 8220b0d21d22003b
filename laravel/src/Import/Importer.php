<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Changes\State;
use Flagstone\Laravel\Value;
use RuntimeException;
use stdClass;

/**
 * Writes the content of a source into flags.json.
 *
 * @phpstan-type Row array{flag: string, from: string, was: ?string, becomes: string, changes: bool, notes: list<string>}
 */
final class Importer
{
    public function __construct(private readonly string $file, private readonly Binary $binary)
    {
    }

    /**
     * Returns the resulting document, and each flag's row.
     *
     * @return array{stdClass, list<Row>}
     */
    public function plan(Found $found): array
    {
        $document = Json::read($this->file) ?? (object) ['flags' => new stdClass()];
        $flags = Value::object($document, 'flags') ?? new stdClass();
        $document->flags = $flags;
        $known = [];
        foreach (\array_keys(\get_object_vars($flags)) as $key) {
            $known[self::plain((string) $key)][] = (string) $key;
        }
        $rows = [];
        foreach ($found->flags as $flag) {
            $key = self::keyOf($flag, $flags, $known, $found);
            $before = Value::bool($flags, $key) ?? Value::object($flags, $key);
            $after = $flag->over($before);
            $plain = $before instanceof stdClass ? clone $before : ($before === null ? null : (object) ['enabled' => $before]);
            if ($plain !== null) {
                $plain->enabled = Value::bool($plain, 'enabled') ?? true;
            }
            $changes = $plain === null || $plain != $after;
            $flags->{$key} = $changes ? $after : $before;
            $rows[] = [
                'flag' => $key,
                'from' => $flag->from,
                'was' => $before === null ? null : State::of($before),
                'becomes' => State::of($after) . ($flag->deny === [] ? '' : ', ' . \count($flag->deny) . ' denied'),
                'changes' => $changes,
                'notes' => $flag->notes,
            ];
        }

        return [$document, $rows];
    }

    /**
     * The flag with that exact name. If there is none, the one with a similar name, unless the source has that one too.
     *
     * @param array<string, list<string>> $known the file's keys by their common form
     */
    private static function keyOf(Flag $flag, stdClass $flags, array $known, Found $found): string
    {
        $similar = $known[self::plain($flag->key)] ?? [];
        if (\property_exists($flags, $flag->key) || $similar === []) {
            return $flag->key;
        }
        if (\count($similar) === 1 && !isset($found->flags[$similar[0]])) {
            return $similar[0];
        }
        $flag->notes[] = 'a new flag beside ' . \implode(', ', $similar);

        return $flag->key;
    }

    /**
     * Writes the flags that change, and leaves the rest of the file's text.
     *
     * @param list<Row> $rows
     * @throws RuntimeException if the result has errors, or cannot be written
     */
    public function write(stdClass $document, array $rows): void
    {
        $changed = [];
        foreach ($rows as $row) {
            if ($row['changes']) {
                $changed[$row['flag']] = Value::at($document, 'flags', $row['flag']);
            }
        }
        $trial = \dirname($this->file) . '/.' . \basename($this->file) . '.import-' . (int) \getmypid();
        try {
            Json::writeFlags($this->file, $document, $changed, $trial);
            if ($this->binary->path() !== null) {
                $checked = $this->binary->run(['check', $trial]);
                if ($checked->code !== 0) {
                    throw new RuntimeException(
                        "nothing was written: $checked->error" . \str_replace($trial, $this->file, $checked->text),
                    );
                }
            }
            Json::writeFlags($this->file, $document, $changed);
        } finally {
            @\unlink($trial);
        }
    }

    /** The common form of a key: customer-portal, customer.portal and CUSTOMER_PORTAL are one name if one of them exists. */
    private static function plain(string $key): string
    {
        return (string) \preg_replace('/[^a-z0-9]+/', '_', \strtolower($key));
    }
}
