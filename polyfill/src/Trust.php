<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Who else could change what this process reads: the judgement of a store's path.
 *
 * Every directory that is passed on the way must belong to root, to this process's user or to the owner of the store,
 * and must not be writable by everybody. One that a group can write is accepted with a warning, and so is a path
 * whose beginning `open_basedir` hides: who set that vouches for where it leads.
 *
 * @internal
 * @phpstan-import-type Stat from Head
 * @phpstan-type Place array{string, ?int, int}
 */
final class Trust
{
    /** Symbolic links on one path, as the kernel allows them. */
    private const LINKS = 40;

    private function __construct(
        public readonly string $path,
        public readonly int $owner,
        public ?string $warning,
    ) {
    }

    /** @throws Problem */
    public static function directory(string $path): self
    {
        \clearstatcache();
        $places = self::walk($path);
        [$last, $owner] = $places[\count($places) - 1];
        if ($owner === null) {
            throw new Problem('cannot open the directory ' . Problem::printable($path) . ': open_basedir forbids it');
        }
        [$reasons, $commands, $warning] = [[], [], null];
        foreach ($places as [$place, $user, $mode]) {
            if ($user === null) {
                $warning ??= \sprintf('who can write %s is not known: open_basedir hides it', Problem::printable($place));
                continue;
            }
            self::place($place, $user, $mode, [0, self::user(), $owner], $reasons, $commands);
            if (($mode & 0o020) !== 0 && $warning === null) {
                $warning = \sprintf('%s is writable by a group (mode %04o): snapshots are copied instead of mapped', Problem::printable($place), $mode);
            }
        }
        self::refuse($last, $reasons, $commands);

        return new self($last, $owner, $warning);
    }

    /**
     * Judges a file, or a directory inside, by what stat says of it.
     *
     * @param Stat $stat
     * @throws Problem
     */
    public function inside(string $path, array $stat): void
    {
        $owners = [0, self::user(), $this->owner];
        if ($this->warning !== null) {
            // Who may create files in the directory may own them.
            $owners[] = $stat['uid'];
        }
        [$reasons, $commands] = [[], []];
        self::place($path, $stat['uid'], $stat['mode'] & 0o7777, $owners, $reasons, $commands);
        self::refuse($path, $reasons, $commands);
    }

    /**
     * @param list<?int> $owners
     * @param list<string> $reasons
     * @param list<string> $commands
     */
    private static function place(string $path, int $owner, int $mode, array $owners, array &$reasons, array &$commands): void
    {
        $name = Problem::printable($path);
        if (($mode & 0o1002) === 0o1002) {
            $reasons[] = \sprintf('%s is writable by everybody (mode %04o, and the sticky bit does not keep others from putting '
                . 'a directory there first); use one that only its owner can write, such as /var/lib/flagstone', $name, $mode);
            $commands[] = 'install -d -m 0755 /var/lib/flagstone';
        } elseif (($mode & 0o002) !== 0) {
            $reasons[] = \sprintf('%s is writable by everybody (mode %04o)', $name, $mode);
            $commands[] = 'chmod o-w ' . self::shell($path);
        }
        if (!\in_array($owner, $owners, true)) {
            $names = \array_map(static fn (?int $user): string => $user === 0 ? 'root' : "user $user", \array_filter($owners, is_int(...)));
            $reasons[] = \sprintf('%s belongs to user %d, expected %s', $name, $owner, \implode(' or ', \array_unique($names)));
            $commands[] = 'chown root ' . self::shell($path);
        }
    }

    /**
     * @param list<string> $reasons
     * @param list<string> $commands
     */
    private static function refuse(string $path, array $reasons, array $commands): void
    {
        if ($reasons !== []) {
            throw new Problem(\sprintf('%s is not trusted: %s. Type: %s', Problem::printable($path), \implode('; ', $reasons), \implode(' && ', $commands)));
        }
    }

    /**
     * Every directory that is passed on the way, from the root: [path, owner (null: hidden), mode]. The last is the path made canonical.
     *
     * @return non-empty-list<Place>
     */
    private static function walk(string $path): array
    {
        $absolute = \str_starts_with($path, '/') ? $path : (string) \getcwd() . '/' . $path;
        $pending = self::parts($absolute);
        /** @var list<string> $at */
        $at = [];
        $places = [self::stat('/', $path)];
        $links = 0;
        while ($pending !== []) {
            $name = \array_shift($pending);
            if ($name === '..') {
                \array_pop($at);
            } else {
                $next = '/' . \implode('/', [...$at, $name]);
                if (\is_link($next)) {
                    if (++$links > self::LINKS) {
                        throw new Problem('cannot open the directory ' . Problem::printable($path) . ': too many symbolic links');
                    }
                    $target = (string) \readlink($next);
                    if (\str_starts_with($target, '/')) {
                        $at = [];
                    }
                    $pending = [...self::parts($target), ...$pending];
                    continue;
                }
                $at[] = $name;
            }
            $places[] = self::stat('/' . \implode('/', $at), $path);
        }

        return $places;
    }

    /** @return list<string> */
    private static function parts(string $path): array
    {
        return \array_values(\array_filter(\explode('/', $path), static fn (string $part): bool => $part !== '' && $part !== '.'));
    }

    /** @return Place */
    private static function stat(string $place, string $path): array
    {
        $stat = @\lstat($place);
        if ($stat === false && self::hidden($place, $path)) {
            return [$place, null, 0];
        }
        if ($stat === false) {
            throw new Problem(\sprintf('cannot open the directory %s: %s is not there, or may not be looked at', Problem::printable($path), Problem::printable($place)));
        }
        if (($stat['mode'] & 0o170000) !== 0o040000) {
            throw new Problem(\sprintf('cannot open the directory %s: %s is not a directory', Problem::printable($path), Problem::printable($place)));
        }

        return [$place, $stat['uid'], $stat['mode'] & 0o7777];
    }

    /** Whether `open_basedir` allows what is below that place, though not the place itself. */
    private static function hidden(string $place, string $path): bool
    {
        $bases = (string) \ini_get('open_basedir');
        foreach ($bases === '' ? [] : \explode(\PATH_SEPARATOR, $bases) as $base) {
            $base = \rtrim($base, '/') . '/';
            if (\str_starts_with($base, \rtrim($place, '/') . '/')) {
                return $base !== \rtrim($place, '/') . '/';
            }
        }

        return false;
    }

    /** This process's user; null where nobody tells. */
    private static function user(): ?int
    {
        static $user = null;
        if ($user === null) {
            $user = \function_exists('posix_geteuid') ? \posix_geteuid() : @\fileowner('/proc/self');
        }

        return \is_int($user) ? $user : null;
    }

    private static function shell(string $path): string
    {
        $text = Problem::printable($path);

        return \preg_match('#^[A-Za-z0-9/._+,:@-]+$#D', $text) === 1 ? $text : "'" . \str_replace("'", "'\\''", $text) . "'";
    }
}
