<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Illuminate\Support\Str;
use ParseError;
use PhpToken;
use ReflectionEnum;
use ReflectionEnumBackedCase;
use RuntimeException;

/**
 * A case to add to an enum's source, after its last one.
 */
final class EnumCase
{
    private function __construct(
        public readonly string $file,
        public readonly string $name,
        private readonly string $source,
    ) {
    }

    /** @throws RuntimeException if the class is no backed enum of strings, or has such a case */
    public static function for(string $class, string $flag): self
    {
        if (!\enum_exists($class) || !($enum = new ReflectionEnum($class))->isBacked()) {
            $what = \class_exists($class) ? "$class is no enum backed by strings" : "there is no $class";
            throw new RuntimeException("$what; nothing was changed. Write `enum " . \class_basename($class) . ': string {}` first');
        }
        $file = (string) $enum->getFileName();
        if ((string) $enum->getBackingType() !== 'string') {
            throw new RuntimeException("$class is backed by int, expected string");
        }
        $name = Str::studly((string) \preg_replace('/[^A-Za-z0-9]+/', '_', $flag));
        $name = \ctype_digit($name[0] ?? '0') ? "Flag$name" : $name;
        foreach ($enum->getCases() as $case) {
            if ($case->getName() === $name || $case instanceof ReflectionEnumBackedCase && $case->getBackingValue() === $flag) {
                throw new RuntimeException("$class has a case for $flag, or one named $name, already");
            }
        }
        $source = @\file_get_contents($file);
        $source = $source === false ? null : self::with($source, $enum->getShortName(), $name, $flag);

        return $source === null
            ? throw new RuntimeException("$file: cannot find where enum {$enum->getShortName()} has its cases")
            : new self($file, $name, $source);
    }

    public function write(): void
    {
        if (@\file_put_contents($this->file, $this->source) === false) {
            throw new RuntimeException("cannot write {$this->file}; the flag was added, the case was not");
        }
    }

    /** The source with the case after the last one, or first in the enum's body; on a line of its own if the last one has one. */
    private static function with(string $source, string $enum, string $name, string $flag): ?string
    {
        [$after, $indent] = self::place($source, $enum) ?? [null, ''];
        if ($after === null) {
            return null;
        }
        $case = "case $name = " . \var_export($flag, true) . ';';
        $line = [];
        // Rest of the line: a comment, or nothing.
        if (\preg_match('~\G[ \t]*(?:(?://|#)[^\n]*|/\*[^\n]*?\*/[ \t]*)?\r?\n~', $source, $line, 0, $after) === 1) {
            $after += \strlen($line[0]);
            $case = $indent . $case . (\str_ends_with($line[0], "\r\n") ? "\r\n" : "\n");
        } else {
            $case = " $case" . (($source[$after] ?? '') === '}' ? ' ' : '');
        }
        $with = \substr($source, 0, $after) . $case . \substr($source, $after);
        try {
            PhpToken::tokenize($with, \TOKEN_PARSE);
        } catch (ParseError) {
            return null;
        }

        return $with;
    }

    /** @return ?array{int, string} position after which the case goes, and its indent */
    private static function place(string $source, string $enum): ?array
    {
        $place = null;
        $depth = 0;
        $before = $indent = '';
        $isEnum = $isCase = false;
        foreach (PhpToken::tokenize($source) as $token) {
            if ($place === null) {
                $isEnum = $token->is(T_ENUM) || $isEnum && $token->is([T_WHITESPACE, T_COMMENT, T_DOC_COMMENT]) || $isEnum && $token->is(T_STRING) && $token->text === $enum;
                $place = $isEnum && $token->is(T_STRING) ? [0, '    '] : null;
                continue;
            }
            $depth += $token->is(['{', T_CURLY_OPEN, T_DOLLAR_OPEN_CURLY_BRACES]) ? 1 : ($token->is('}') ? -1 : 0);
            $end = $token->pos + \strlen($token->text);
            if ($depth === 1 && $place[0] === 0) {
                $place[0] = $end;
            } elseif ($depth === 1 && $token->is(T_CASE)) {
                $isCase = true;
                $indent = \preg_match('/\n([ \t]*)$/D', $before, $found) === 1 ? $found[1] : '    ';
            } elseif ($depth === 1 && $isCase && $token->is(';')) {
                $isCase = false;
                $place = [$end, $indent];
            } elseif ($depth === 0 && $place[0] !== 0) {
                break;
            }
            $before = $token->text;
        }

        return $place === null || $place[0] === 0 ? null : $place;
    }
}
