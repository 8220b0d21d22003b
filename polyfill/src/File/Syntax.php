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
    private const WORD = Spelling::ALPHANUMERIC . '_.+-';

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
        if (\json_encode($this->text) === false) {
            $sound = (string) \json_decode((string) \json_encode($this->text, \JSON_INVALID_UTF8_IGNORE));

            return $this->say(\strspn($this->text ^ $sound, "\0"), [], 'found bytes that are not UTF-8: save the file as UTF-8');
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
                if (\strspn($token, '-' . Spelling::DIGITS) === \strlen($token) && (string) (int) $token !== $token && $token !== '-0') {
                    return $this->say($this->start, $path, 'found ' . Findings::clip($token) . ', expected an integer of 64 bits');
                }
                if ($last >= 0 && \in_array($path[$last], ['percentage', 'weight'], true) && \is_numeric($token) && !self::isExact($token)
                    && !self::isFree($path)) {
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

    /**
     * True inside of a comment or a variant's value, which hold anything.
     *
     * @param list<string|int> $path
     */
    private static function isFree(array $path): bool
    {
        foreach ($path as $at => $step) {
            if ($step === '$comment' || ($step === 'variants' && ($path[$at + 2] ?? null) === 'value')) {
                return true;
            }
        }

        return false;
    }

    /** The next token; empty at the end, and where there is none. */
    private function token(): string
    {
        $this->start = $this->at + \strspn($this->text, " \t\r\n", $this->at);
        $first = $this->text[$this->start] ?? '';
        if ($first === '"') {
            $length = $this->stringLength();
        } elseif ($first !== '' && \str_contains('{}[]:,', $first)) {
            $length = 1;
        } else {
            $length = \strspn($this->text, self::WORD, $this->start);
            $word = \substr($this->text, $this->start, $length);
            $isNumber = \strspn($word, '-' . Spelling::DIGITS, 0, 1) === 1 && \json_decode($word) !== null;
            $length = $isNumber || \in_array($word, ['true', 'false', 'null'], true) ? $length : 0;
        }
        $this->at = $length === 0 ? $this->at : $this->start + $length;

        return \substr($this->text, $this->start, $length);
    }

    /** Bytes of the string that begins here, with its quotes; 0 if it is none. */
    private function stringLength(): int
    {
        static $breaks = '"\\' . "\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";
        $at = $this->start + 1;
        while (true) {
            $at += \strcspn($this->text, $breaks, $at);
            $escape = $this->text[$at + 1] ?? '';
            if (($this->text[$at] ?? '') === '"') {
                return $at + 1 - $this->start;
            }
            if (($this->text[$at] ?? '') !== '\\' || $escape === '' || !\str_contains('"\\/bfnrtu', $escape)
                || ($escape === 'u' && \strspn($this->text, '0123456789abcdefABCDEF', $at + 2, 4) !== 4)) {
                return 0;
            }
            $at += $escape === 'u' ? 6 : 2;
        }
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
        $word = \substr($rest, 0, \strspn($rest, self::WORD) ?: Spelling::bytes($rest, 1));
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
        $inside = \array_map(\chr(...), \range(0x80, 0xBF));
        $column = \strlen(\str_replace($inside, '', \substr($before, (int) \strrpos("\n$before", "\n")))) + 1;
        $pointer = Findings::pointer($path);

        return "$this->file:$line:$column: " . ($pointer === '' ? '' : "$pointer: ") . $message;
    }
}
