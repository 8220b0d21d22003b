<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * Finds the place at which JSON text breaks the grammar, names a key twice or holds a number that PHP would round. Much slower than
 * PHP's own decoder, and used only after that has found, or may have missed, something.
 *
 * @internal
 */
final class Syntax
{
    private const TOKEN = '/\G[ \t\r\n]*+(?|([{}\[\]:,])|("(?:[^"\\\\\x00-\x1f]++|\\\\(?:["\\\\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
        . '|(-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?(?![\w.+-]))|((?:true|false|null)(?!\w)))/';

    private int $at = 0;
    /** Offset of the token that was read last. */
    private int $start = 0;

    public function __construct(private readonly string $file, private readonly string $text)
    {
    }

    /** The first breach, with line, column and pointer; null if there is none. */
    public function complaint(): ?string
    {
        if (\str_starts_with($this->text, "\xEF\xBB\xBF")) {
            return $this->say(0, [], 'found a byte order mark before the document, expected none: save the file as UTF-8 without it');
        }
        if (\preg_match('//u', $this->text) !== 1) {
            $sound = [];
            \preg_match('/^(?:[\x00-\x7f]++|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})*+/', $this->text, $sound);

            return $this->say(\strlen($sound[0] ?? ''), [], 'found bytes that are not UTF-8: save the file as UTF-8');
        }

        return $this->document();
    }

    private function document(): ?string
    {
        /** @var list<array{bool, string|int, array<string, true>}> $open is an object, key or index, keys so far */
        $open = [];
        /** @var string $expected */
        $expected = 'a value';
        while (true) {
            $token = $this->token();
            $path = self::path($open);
            $last = \count($open) - 1;
            $closes = $last >= 0 && $token === ($open[$last][0] ? '}' : ']');
            if ($expected === 'a value or "]"' || $expected === 'a key in double quotes or "}"') {
                if ($closes) {
                    \array_pop($open);
                    $expected = 'more';
                    continue;
                }
                $expected = $expected === 'a value or "]"' ? 'a value' : 'a key in double quotes';
            }
            if ($expected === 'more') {
                if ($last < 0) {
                    return $token === '' && $this->ended() ? null : $this->unexpected($path, 'the end of the file');
                }
                if ($closes) {
                    \array_pop($open);
                } elseif ($token === ',') {
                    $expected = $open[$last][0] ? 'a key in double quotes' : 'a value';
                    $open[$last][1] = $open[$last][0] ? '' : (int) $open[$last][1] + 1;
                } else {
                    return $this->unexpected(\array_slice($path, 0, -1), $open[$last][0] ? '"," or "}"' : '"," or "]"');
                }
            } elseif ($expected === 'a key in double quotes') {
                if ($token === '' || $token[0] !== '"') {
                    $comma = $token === '}' ? ': remove the comma before it' : '';

                    return $this->unexpected(\array_slice($path, 0, -1), $expected, $comma);
                }
                $key = (string) \json_decode($token);
                if (\str_starts_with($key, "\0")) {
                    $path[$last] = $key;

                    return $this->say($this->start, $path, 'found a key that begins with \u0000, which PHP cannot read: give it another name');
                }
                if (isset($open[$last][2]["=$key"])) {
                    $path[$last] = $key;

                    return $this->say($this->start, $path, 'found the key "' . Findings::clip($key) . '" again, expected it once: merge the two, or remove one');
                }
                [$open[$last][1], $open[$last][2]["=$key"]] = [$key, true];
                if ($this->token() !== ':') {
                    return $this->unexpected(self::path($open), '":" after the key');
                }
                $expected = 'a value';
            } elseif ($token === '{' || $token === '[') {
                if (\count($open) >= 64) {
                    return $this->say($this->start, $path, 'found more than 64 objects and lists in each other');
                }
                $open[] = [$token === '{', $token === '{' ? '' : 0, []];
                $expected = $token === '{' ? 'a key in double quotes or "}"' : 'a value or "]"';
            } elseif ($token === '' || \str_contains('}]:,', $token[0])) {
                return $this->unexpected($path, 'a value', $token === ']' ? ': remove the comma before it' : '');
            } else {
                if (\preg_match('/^-?\d{19,}$/D', $token) === 1 && (string) (int) $token !== $token) {
                    return $this->say($this->start, $path, 'found ' . Findings::clip($token) . ', expected an integer of 64 bits');
                }
                if ($last >= 0 && \in_array($path[$last], ['percentage', 'weight'], true) && \is_numeric($token) && !self::isExact($token)
                    && \preg_match('~/(?:\$comment|variants/[^/]*/value)/~', Findings::pointer($path)) === 0) {
                    return $this->say($this->start, $path, 'found ' . Findings::clip($token) . ', expected ' . FieldReader::PERCENTAGE);
                }
                if ($token[0] === '"' && \json_decode($token) === null) {
                    return $this->say($this->start, $path, 'found an escape \u that is no character, expected four hexadecimal digits');
                }
                $expected = 'more';
            }
        }
    }

    /** True if the number has at most three decimals as it is written. */
    private static function isExact(string $number): bool
    {
        [$mantissa, $exponent] = [...\explode('e', \strtolower($number)), '0'];
        $fraction = \strlen(\explode('.', "$mantissa.")[1]);
        $digits = \str_replace('.', '', $mantissa);
        $zeros = \strlen($digits) - \strlen(\rtrim($digits, '0'));

        return $fraction - $zeros - (int) $exponent <= 3 || \trim($digits, '-0') === '';
    }

    /** The next token; empty at the end. */
    private function token(): string
    {
        $found = [];
        if (\preg_match(self::TOKEN, $this->text, $found, 0, $this->at) !== 1) {
            $this->start = $this->at + \strspn($this->text, " \t\r\n", $this->at);

            return '';
        }
        $this->at += \strlen($found[0]);
        $this->start = $this->at - \strlen($found[1]);

        return $found[1];
    }

    /**
     * @param list<array{bool, string|int, array<string, bool>}> $open
     * @return list<string|int>
     */
    private static function path(array $open): array
    {
        $path = [];
        foreach ($open as [, $step]) {
            $path[] = $step;
        }

        return $path;
    }

    private function ended(): bool
    {
        return $this->start >= \strlen($this->text);
    }

    /** @param list<int|string> $path */
    private function unexpected(array $path, string $expected, string $hint = ''): string
    {
        $rest = \substr($this->text, $this->start, 256);
        $found = [];
        \preg_match('/^(?:[\w.+-]++|.)/su', $rest, $found);
        $word = $found[0] ?? '';
        $advice = match (true) {
            $hint !== '' => $hint,
            $word === '/' || $word === '#' => ': JSON has no comments; write a "$comment"',
            $word === "'" => ': strings stand in double quotes',
            \in_array(\strtolower($word), ['true', 'false', 'null', 'none'], true) => ': true, false and null are written in lower case',
            $word === '"' && \str_starts_with($expected, '"') => ': add the comma',
            $word === '"' => ': close the string with a double quote; a backslash in it is written \\\\, a line break \n',
            default => '',
        };
        $shown = $word === '' ? 'the end of the file' : '"' . Findings::clip($word) . '"';

        return $this->say($this->start, $path, "found $shown, expected $expected$advice");
    }

    /** @param list<int|string> $path */
    private function say(int $at, array $path, string $message): string
    {
        $before = \substr($this->text, 0, $at);
        $line = \substr_count($before, "\n") + 1;
        $column = (int) \preg_match_all('/[^\x80-\xbf]/', \substr($before, (int) \strrpos("\n$before", "\n"))) + 1;
        $pointer = Findings::pointer($path);

        return "$this->file:$line:$column: " . ($pointer === '' ? '' : "$pointer: ") . $message;
    }
}
