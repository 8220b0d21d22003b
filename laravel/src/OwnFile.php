<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

/**
 * Opens files of this package's own in folders that others may write: root runs artisan, too.
 *
 * @internal
 */
final class OwnFile
{
    /** Bytes that are read at most. */
    private const MAX_BYTES = 8 << 20;
    /** Kind of a file in its mode, and a regular file (inode(7)). */
    private const KIND = 0o170000;
    private const REGULAR = 0o100000;

    /**
     * Opens an existing regular file. Follows no symbolic link, by which others could lead root elsewhere, and waits at no pipe.
     *
     * @return resource|false
     */
    public static function open(string $path, string $mode): mixed
    {
        // n: O_NONBLOCK.
        $file = @\fopen($path, "{$mode}n");
        if ($file === false) {
            return false;
        }
        \clearstatcache(true, $path);
        [$named, $found] = [@\lstat($path), \fstat($file)];
        $isNamed = $named !== false && $found !== false && [$named['dev'], $named['ino']] === [$found['dev'], $found['ino']];

        return $isNamed && ($found['mode'] & self::KIND) === self::REGULAR ? $file : false;
    }

    /** The file's text; empty if there is no such file. */
    public static function text(string $path): string
    {
        $file = self::open($path, 'rb');

        return $file === false ? '' : (string) \stream_get_contents($file, self::MAX_BYTES);
    }
}
