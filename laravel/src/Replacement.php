<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use RuntimeException;

/**
 * Replaces a file by a new one: a concurrent reader sees the old content or the new. Whoever can write the folder cannot lead this process
 * elsewhere by a symbolic link: the new file has a name that nobody knows, is created exclusively, and takes the place of a link.
 *
 * @internal
 */
final class Replacement
{
    /**
     * Keeps the file's owner, group and mode. A new file that root makes is its folder's owner's, whatever root's umask: the application reads
     * it as another user.
     *
     * @throws RuntimeException if it cannot be written; nothing was changed then
     */
    public static function keeping(string $path, string $text): void
    {
        $path = @\realpath($path) ?: $path;
        $before = @\stat($path) ?: null;
        $isRoot = \function_exists('posix_geteuid') && \posix_geteuid() === 0;
        $like = $before ?? ($isRoot ? @\stat(\dirname($path)) ?: null : null);
        if (!self::write($path, $text, $like === null ? null : $like['mode'] & ($before === null ? 0o644 : 0o666), $like)) {
            throw new RuntimeException("cannot write $path" . (self::isMountPoint($path)
                ? ': it is a mount point, and nothing can take its place; nothing was changed. Mount its folder instead, or change the file where it was mounted from'
                : '; nothing was changed'));
        }
    }

    private static function isMountPoint(string $path): bool
    {
        // proc_pid_mountinfo(5): blanks are written in octal.
        $points = \array_map(static fn (string $line): string => \stripcslashes(\explode(' ', $line)[4] ?? ''), @\file('/proc/self/mountinfo') ?: []);

        return \in_array($path, $points, true);
    }

    /**
     * @param ?int $mode 0600, say; null: what the umask leaves
     * @param ?array{uid: int, gid: int, ...} $owner of the new file, as far as this process may give it away; null: this process's
     * @return bool false if it cannot be written; nothing was changed then
     * @throws RuntimeException if this process is root's and cannot give it away; nothing was changed then
     */
    public static function write(string $path, string $text, ?int $mode = null, ?array $owner = null): bool
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
        $isGiven = $owner === null || self::give($file, $temporary, $owner);
        if (\fclose($file) && $isWritten && $isGiven && @\rename($temporary, $path)) {
            return true;
        }
        @\unlink($temporary);

        return $isGiven ? false : throw new RuntimeException("cannot write $path as user {$owner['uid']}, its owner; nothing was changed. Run this as that user: sudo -u '#{$owner['uid']}' …");
    }

    /**
     * Gives away a file that this process made, without following a link that took its place. Nobody but root can give it to another user.
     *
     * @param resource $file
     * @param array{uid: int, gid: int, ...} $owner
     */
    private static function give(mixed $file, string $path, array $owner): bool
    {
        $made = (array) \fstat($file);
        if ([$made['uid'], $made['gid']] === [$owner['uid'], $owner['gid']]) {
            return true;
        }
        \clearstatcache(true, $path);
        $there = @\lstat($path);
        if ($there !== false && [$there['dev'], $there['ino']] === [$made['dev'], $made['ino']]) {
            @\lchgrp($path, $owner['gid']);
            @\lchown($path, $owner['uid']);
        }
        $given = (array) \fstat($file);

        return $made['uid'] !== 0 || [$given['uid'], $given['gid']] === [$owner['uid'], $owner['gid']];
    }
}
