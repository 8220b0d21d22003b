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
 * Puts what a source holds into flags.json.
 *
 * @phpstan-type Row array{flag: string, from: string, was: ?string, becomes: string, changes: bool, notes: list<string>}
 */
final class Importer
{
    public function __construct(private readonly string $file, private readonly Binary $binary)
    {
    }

    /**
     * The document as it would be, and each flag's row.
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
            $known[self::plain((string) $key)] = (string) $key;
        }
        $rows = [];
        foreach ($found->flags as $flag) {
            $key = $known[self::plain($flag->key)] ?? $flag->key;
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

    /** @throws RuntimeException where the result has errors, or cannot be written */
    public function write(stdClass $document): void
    {
        $trial = \dirname($this->file) . '/.' . \basename($this->file) . '.import-' . (int) \getmypid();
        try {
            Json::write($trial, $document);
            if ($this->binary->path() !== null) {
                $checked = $this->binary->run(['check', $trial]);
                if ($checked->code !== 0) {
                    throw new RuntimeException(
                        "nothing was written: $checked->error" . \str_replace($trial, $this->file, $checked->text),
                    );
                }
            }
            Json::write($this->file, $document);
        } finally {
            @\unlink($trial);
        }
    }

    /** customer-portal, customer.portal and CUSTOMER_PORTAL are one name where one of them is there. */
    private static function plain(string $key): string
    {
        return (string) \preg_replace('/[^a-z0-9]+/', '_', \strtolower($key));
    }
}
