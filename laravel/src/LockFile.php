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
     * Opens the file, and creates it if it does not exist. Follows no symbolic link, by which others could lead root elsewhere.
     *
     * @return resource|false
     */
    public static function open(string $path): mixed
    {
        $umask = \umask(0o117);
        try {
            // PHP resolves links before it creates a file, even exclusively: so the file is made under a name that nobody knows.
            $new = "$path." . \bin2hex(\random_bytes(8));
            if (@\lstat($path) === false && @\touch($new)) {
                @\link($new, $path);
                @\unlink($new);
            }
            $lock = @\fopen($path, 'r+b');
        } finally {
            \umask($umask);
        }
        \clearstatcache(true, $path);
        [$named, $found] = [@\lstat($path), $lock === false ? false : \fstat($lock)];
        if ($found === false || $named === false || [$named['dev'], $named['ino']] !== [$found['dev'], $found['ino']]) {
            return false;
        }
        if ($lock !== false && (\fstat($lock)['mode'] ?? 0) & self::OTHERS) {
            // The file may have been made by an earlier version.
            @\chmod($path, 0o660);
        }

        return $lock;
    }
}
