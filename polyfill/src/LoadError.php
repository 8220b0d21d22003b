<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Reason why a store or snapshot cannot be used. Caught inside this package; status shows its text.
 *
 * @internal
 */
final class LoadError extends \RuntimeException
{
    /** Code of a problem that is only a path that does not exist. */
    public const MISSING = 1;

    /** Code of a file that could not be read for now, and may be whole. */
    public const UNREAD = 2;

    /** The same problem, with a text in front of it. */
    public function withPrefix(string $text): self
    {
        return new self($text . $this->getMessage(), $this->getCode());
    }

    /** The problem of a function that disable_functions takes away, such as `getcwd()`. */
    public static function withoutFunction(string $function): self
    {
        return new self("the polyfill cannot work without $function, which disable_functions in php.ini names; take it out of there, or install the extension");
    }

    /** Escapes a path, or other text found, so that it cannot forge another line. */
    public static function printable(string $text): string
    {
        return \str_replace([...\array_map(\chr(...), \range(0, 31)), "\x7f"], "\u{fffd}", $text);
    }

    /** The way out where a store is missing: a new one in the place of one that was there knows none of its kills. */
    public static function missingStore(string $path): string
    {
        return '; if there was a store, put it back first: mount its disk, move it back or restore it (docs/runbooks/restore.md). Only where there never was one, make one with `flagstone init '
            . self::printable($path) . ' --environment NAME`';
    }

    public static function bytes(string $bytes): string
    {
        return '[' . \implode(', ', \str_split(\bin2hex($bytes), 2)) . ']';
    }
}
