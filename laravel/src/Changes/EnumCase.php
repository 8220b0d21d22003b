<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use BackedEnum;
use Illuminate\Support\Str;
use ReflectionEnum;
use RuntimeException;

/**
 * A case to be added to an enum's source, after its last one.
 */
final class EnumCase
{
    private function __construct(
        public readonly string $file,
        public readonly string $name,
        private readonly string $source,
    ) {
    }

    /** @throws RuntimeException where the class is no backed enum of strings, or has such a case */
    public static function for(string $class, string $flag): self
    {
        if (!\enum_exists($class) || !\is_subclass_of($class, BackedEnum::class)) {
            $what = \class_exists($class) ? "$class is no enum backed by strings" : "there is no $class";
            throw new RuntimeException("$what; nothing was changed. Write `enum " . \class_basename($class) . ': string {}` first');
        }
        $enum = new ReflectionEnum($class);
        $file = (string) $enum->getFileName();
        if ((string) $enum->getBackingType() !== 'string') {
            throw new RuntimeException("$class is backed by int, expected string");
        }
        $name = Str::studly((string) \preg_replace('/[^A-Za-z0-9]+/', '_', $flag));
        $name = \ctype_digit($name[0] ?? '0') ? "Flag$name" : $name;
        if ($class::tryFrom($flag) !== null || $enum->hasCase($name)) {
            throw new RuntimeException("$class has a case for $flag, or one named $name, already");
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

    private static function with(string $source, string $enum, string $name, string $flag): ?string
    {
        $head = '/^[ \t]*enum\s+' . \preg_quote($enum, '/') . '\b[^{]*\{[ \t]*\n?/m';
        if (\preg_match($head, $source, $start, \PREG_OFFSET_CAPTURE) !== 1) {
            return null;
        }
        $from = $start[0][1] + \strlen($start[0][0]);
        [$at, $indent] = [$from, '    '];
        $case = '/^([ \t]*)case\s+\w+\s*=[^;]*;[^\n]*\n?/m';
        $cases = \preg_match_all($case, \substr($source, $from), $found, \PREG_OFFSET_CAPTURE);
        if ($cases > 0) {
            [$text, $offset] = $found[0][$cases - 1];
            $at = $from + $offset + \strlen($text);
            $indent = $found[1][$cases - 1][0];
        }
        $line = "{$indent}case $name = " . \var_export($flag, true) . ";\n";

        return \substr($source, 0, $at) . $line . \substr($source, $at);
    }
}
