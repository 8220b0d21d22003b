<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

/**
 * The file of a lock. Every user who can open it can hold the lock: so only its owner and its group can.
 *
 * @internal
 */
final class LockFile
{
    private const OTHERS = 0o007;

    /**
     * Opens the file, and creates it if it does not exist. One that others can open, as an earlier version made it, is replaced.
     *
     * @return resource|false
     */
    public static function open(string $path): mixed
    {
        $lock = self::opened($path);
        if ($lock !== false && self::isOpenToOthers($lock)) {
            @\unlink($path);
            $lock = self::opened($path);
        }

        return $lock === false || self::isOpenToOthers($lock) ? false : $lock;
    }

    /** @return resource|false */
    private static function opened(string $path): mixed
    {
        $umask = \umask(0o117);
        try {
            // PHP resolves links before it creates a file, even exclusively: so the file is made under a name that nobody knows.
            $new = "$path." . \bin2hex(\random_bytes(8));
            if (@\lstat($path) === false && @\touch($new)) {
                @\link($new, $path);
                @\unlink($new);
            }
        } finally {
            \umask($umask);
        }

        return OwnFile::open($path, 'r+b');
    }

    /** @param resource $lock */
    private static function isOpenToOthers(mixed $lock): bool
    {
        return (bool) ((\fstat($lock)['mode'] ?? self::OTHERS) & self::OTHERS);
    }
}
