<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Import;

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Changes\State;
use Flagstone\Laravel\Value;
use Flagstone\Polyfill\File\MergePatch;
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
     * Returns the resulting document, and each flag's row. Flags that the command refuses are refused by their origin, and left out.
     *
     * @return array{stdClass, list<Row>}
     * @throws RuntimeException if the file has errors of its own
     */
    public function plan(ImportResult $found): array
    {
        [$document, $rows] = $this->merge($found);
        $refused = $this->refused($document, $rows);
        if ($refused === []) {
            return [$document, $rows];
        }
        foreach (\array_map(null, $found->flags, $rows) as [$flag, $row]) {
            if (isset($refused[$row['flag']])) {
                $found->refuse("$flag->place: {$refused[$row['flag']]}");
                unset($found->flags[$flag->key]);
            }
        }

        return $this->plan($found);
    }

    /** @return array{stdClass, list<Row>} */
    private function merge(ImportResult $found): array
    {
        $document = Json::read($this->file) ?? (object) ['flags' => new stdClass()];
        $flags = Value::object($document, 'flags') ?? new stdClass();
        $document->flags = $flags;
        $known = [];
        foreach (\array_keys(\get_object_vars($flags)) as $key) {
            $known[self::plain((string) $key)][] = (string) $key;
        }
        $answered = self::answered($document);
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
                'becomes' => State::of($after),
                'changes' => $changes,
                'notes' => $flag->notes,
            ];
        }
        foreach (self::answered($document) as $environment => $states) {
            foreach ($rows as &$row) {
                $to = $states[$row['flag']] ?? null;
                $from = $answered[$environment][$row['flag']] ?? null;
                if ($to !== null) {
                    $row['notes'][] = "in $environment, whose part of the file decides: " . ($from === $to || $from === null ? $to : "$from → $to");
                }
            }
            unset($row);
        }

        return [$document, $rows];
    }

    /** @return array<array-key, array<array-key, string>> the states of flags that environments change, by environment and flag */
    private static function answered(stdClass $document): array
    {
        $states = [];
        foreach (\get_object_vars(Value::object($document, 'environments') ?? new stdClass()) as $environment => $patch) {
            $patched = Value::object($patch, 'flags');
            $flags = $patched === null ? [] : \get_object_vars(MergePatch::to(Value::object($document, 'flags'), $patched));
            foreach (\array_intersect_key($flags, \get_object_vars($patched ?? new stdClass())) as $key => $flag) {
                if (\is_bool($flag) || $flag instanceof stdClass) {
                    $states[$environment][$key] = State::of($flag);
                }
            }
        }

        return $states;
    }

    /**
     * The command's problems with imported flags, by flag.
     *
     * @param list<Row> $rows
     * @return array<string, string>
     * @throws RuntimeException for problems of other parts
     */
    private function refused(stdClass $document, array $rows): array
    {
        $changed = self::changed($document, $rows);
        if ($changed === [] || $this->binary->path() === null) {
            return [];
        }
        $checked = $this->check(Json::withFlags($this->file, $document, $changed));
        if ($checked->code === Result::DONE) {
            return [];
        }
        // With the lines of the file that is there.
        $own = @\is_file($this->file) ? $this->binary->run(['check', '--', $this->file]) : null;
        if ($own !== null && $own->code !== Result::DONE) {
            throw new RuntimeException("nothing was written: $own->error$own->text");
        }
        $refused = [];
        foreach (Value::items($checked->data(), 'problems') as $problem) {
            if (Value::text($problem, 'severity') === 'error') {
                $path = \explode('/', Value::text($problem, 'pointer') ?? '');
                $key = \strtr($path[2] ?? '', ['~1' => '/', '~0' => '~']);
                $message = Value::text($problem, 'message') ?? '';
                if (($path[1] ?? '') !== 'flags' || !isset($changed[$key])) {
                    throw new RuntimeException("nothing was written: $message");
                }
                $refused[$key] ??= $message;
            }
        }

        return $refused !== [] ? $refused : throw new RuntimeException("nothing was written: $checked->error");
    }

    private function check(string $text): Result
    {
        $input = \fopen('php://temp', 'w+') ?: throw new RuntimeException('cannot keep the result in memory');
        \fwrite($input, $text);
        \rewind($input);

        return $this->binary->run(['check', '--json', '-'], $input);
    }

    /**
     * @param list<Row> $rows
     * @return array<array-key, mixed> the definitions that change, by flag
     */
    private static function changed(stdClass $document, array $rows): array
    {
        $changed = [];
        foreach ($rows as $row) {
            if ($row['changes']) {
                $changed[$row['flag']] = Value::at($document, 'flags', $row['flag']);
            }
        }

        return $changed;
    }

    /**
     * The flag with that exact name. If there is none, the one with a similar name, unless the source has that one too.
     *
     * @param array<string, list<string>> $known the file's keys by their common form
     */
    private static function keyOf(Flag $flag, stdClass $flags, array $known, ImportResult $found): string
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
     * @throws RuntimeException if it cannot be written
     */
    public function write(stdClass $document, array $rows): void
    {
        Json::writeFlags($this->file, $document, self::changed($document, $rows));
    }

    /** The common form of a key: customer-portal, customer.portal and CUSTOMER_PORTAL are one name if one of them exists. */
    private static function plain(string $key): string
    {
        return (string) \preg_replace('/[^a-z0-9]+/', '_', \strtolower($key));
    }
}
