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
     * Opens the file, and creates it if it does not exist.
     *
     * @return resource|false
     */
    public static function open(string $path): mixed
    {
        $umask = \umask(0o117);
        try {
            $lock = @\fopen($path, 'cb');
        } finally {
            \umask($umask);
        }
        if ($lock !== false && (\fstat($lock)['mode'] ?? 0) & self::OTHERS) {
            // The file may have been made by an earlier version.
            @\chmod($path, 0o660);
        }

        return $lock;
    }
}
