<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Illuminate\Support\Str;
use ReflectionEnum;
use ReflectionEnumBackedCase;
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

    private static function with(string $source, string $enum, string $name, string $flag): ?string
    {
        $head = '/^[ \t]*enum\s+' . \preg_quote($enum, '/') . '\b[^{]*\{[ \t]*\n?/m';
        $body = (\preg_split($head, $source, 2) ?: [])[1] ?? null;
        if ($body === null) {
            return null;
        }
        [$rest, $indent] = [$body, '    '];
        $case = '/^([ \t]*)case\s+\w+\s*=[^;]*;[^\n]*\n?/m';
        // What is before a case, its indent, what is before the next one …, and what follows the last.
        $parts = \preg_split($case, $body, -1, \PREG_SPLIT_DELIM_CAPTURE) ?: [];
        if (\count($parts) > 1) {
            [$indent, $rest] = \array_slice($parts, -2);
        }
        $at = \strlen($source) - \strlen($rest);
        $line = "{$indent}case $name = " . \var_export($flag, true) . ";\n";

        return \substr($source, 0, $at) . $line . \substr($source, $at);
    }
}
