<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

/**
 * Finds line and column of a JSON pointer in the text of a valid document.
 */
final class JsonPlace extends JsonCursor
{
    /**
     * Replaces `FILE: /POINTER: …` at the beginning of lines by `FILE:LINE:COLUMN: /POINTER: …`, the form of `flagstone check`.
     *
     * @param string $file its path in these lines
     */
    public static function in(string $problems, string $file): string
    {
        $text = @\file_get_contents($file);
        if ($text === false || \json_decode($text) === null) {
            return $problems;
        }

        return (string) \preg_replace_callback(
            '/^' . \preg_quote($file, '/') . ': (\/\S*): (.*)$/m',
            static function (array $found) use ($file, $text): string {
                $place = self::of($text, $found[1], \str_contains($found[2], 'unknown key'));

                return $place === null ? $found[0] : "$file:$place[0]:$place[1]: $found[1]: $found[2]";
            },
            $problems,
        );
    }

    /**
     * @param bool $isName true for the member's name, not its value
     * @return ?array{int, int} null if the pointer leads nowhere
     */
    private static function of(string $text, string $pointer, bool $isName): ?array
    {
        $reader = new self($text);
        $reader->skip();
        $at = $reader->at;
        foreach (\array_slice(\explode('/', $pointer), 1) as $step) {
            $found = $reader->member(\strtr($step, ['~1' => '/', '~0' => '~']));
            if ($found === null) {
                return null;
            }
            $at = $isName ? $found : $reader->at;
        }
        $before = \substr($text, 0, $at);
        $line = \strrpos("\n$before", "\n");

        return [\substr_count($before, "\n") + 1, \mb_strlen(\substr($before, (int) $line)) + 1];
    }

    /**
     * Moves to the value of that name or index in the object or list that begins here. Returns the start of its name; null: there is
     * none.
     */
    private function member(string $step): ?int
    {
        $isList = ($this->text[$this->at] ?? '') === '[';
        if (!$isList && ($this->text[$this->at] ?? '') !== '{') {
            return null;
        }
        $this->at++;
        for ($number = 0; ; $number++) {
            $this->skip();
            $begin = $this->at;
            if (\in_array($this->text[$begin] ?? '}', ['}', ']'], true)) {
                return null;
            }
            if (($isList ? (string) $number : $this->name()) === $step) {
                return $begin;
            }
            $this->value();
            $this->skip();
            $this->at += ($this->text[$this->at] ?? '') === ',' ? 1 : 0;
        }
    }
}
