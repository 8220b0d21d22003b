<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

/**
 * Puts flags into the text of a flags.json, and keeps the rest byte for byte.
 */
final class JsonEdit extends JsonCursor
{
    /**
     * @param string $text a valid document
     * @param array<array-key, mixed> $flags definitions by key
     * @return ?string null if the document has no object "flags" for them
     */
    public static function flags(string $text, array $flags): ?string
    {
        foreach ($flags as $key => $flag) {
            $text = (new self($text))->put((string) $key, $flag);
            if ($text === null) {
                return null;
            }
        }

        return $text;
    }

    private function put(string $key, mixed $flag): ?string
    {
        $root = $this->members();
        if (!isset($root['flags'])) {
            return null;
        }
        [$begin] = $root['flags'];
        if ($this->text[$begin] !== '{') {
            return null;
        }
        $this->at = $begin;
        $members = $this->members();
        if (isset($members[$key])) {
            [$from, $to] = $members[$key];

            return $this->with(Json::text($flag, $this->indentAt($from), 0), $from, $to - $from);
        }
        $name = (string) \json_encode($key, \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE) . ': ';
        if ($members === []) {
            $outer = $this->indentAt($begin);

            return $this->with("{\n$outer  $name" . Json::text($flag, "$outer  ", 0) . "\n$outer}", $begin, $this->at - $begin);
        }
        $last = \end($members)[1];
        $indent = $this->indentAt(\end($members)[0]);
        $isBroken = \str_contains(\substr($this->text, $begin, \end($members)[0] - $begin), "\n");
        $before = $isBroken ? ",\n$indent" : ', ';

        return $this->with($before . $name . Json::text($flag, $indent, 0), $last, 0);
    }

    /** The text with another part, whose lines end as the first line does. */
    private function with(string $part, int $at, int $length): string
    {
        $end = \preg_match('/\A[^\n]*\r\n/', $this->text) === 1 ? "\r\n" : "\n";

        return \substr_replace($this->text, \str_replace("\n", $end, $part), $at, $length);
    }

    /**
     * Reads the members of the object at the current place, and moves past it.
     *
     * @return array<array-key, array{int, int}> begin and end of each value; for a duplicate name, the last
     */
    private function members(): array
    {
        $members = [];
        $this->skip();
        $this->at++;
        $this->skip();
        while (($this->text[$this->at] ?? '}') !== '}') {
            $name = $this->name();
            $begin = $this->at;
            $this->value();
            unset($members[$name]);
            $members[$name] = [$begin, $this->at];
            $this->skip();
            if (($this->text[$this->at] ?? '') === ',') {
                $this->at++;
                $this->skip();
            }
        }
        $this->at++;

        return $members;
    }

    /** Indent of the line with this byte. */
    private function indentAt(int $at): string
    {
        $line = \strrpos(\substr($this->text, 0, $at), "\n");
        $line = $line === false ? 0 : $line + 1;

        return \substr($this->text, $line, \strspn($this->text, " \t", $line));
    }
}
