<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

/**
 * Replaces a file by a new one: a concurrent reader sees the old content or the new. Whoever can write the folder cannot lead this process
 * elsewhere by a symbolic link: the new file has a name that nobody knows, is created exclusively, and takes the place of a link.
 *
 * @internal
 */
final class Replacement
{
    /**
     * @param ?int $mode 0600, say; null: what the umask leaves
     * @return bool false if it cannot be written; nothing was changed then
     */
    public static function write(string $path, string $text, ?int $mode = null): bool
    {
        $temporary = \dirname($path) . '/.' . \basename($path) . '.' . \bin2hex(\random_bytes(8)) . '.tmp';
        $umask = \umask();
        if ($mode !== null) {
            \umask(~$mode & 0o777);
        }
        try {
            $file = @\fopen($temporary, 'xb');
        } finally {
            \umask($umask);
        }
        if ($file === false) {
            return false;
        }
        $isWritten = \fwrite($file, $text) === \strlen($text) && \fsync($file);
        if (\fclose($file) && $isWritten && @\rename($temporary, $path)) {
            return true;
        }
        @\unlink($temporary);

        return false;
    }
}
