<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Who else could change what this process reads: the judgement of a store's path, as the engine judges it.
 *
 * Every directory on the way must belong to root, to this process's user or to the owner of the store. What lies below a
 * directory that everybody can write, symbolic links included, must belong to root or to this process's user and must not be
 * writable by everybody. The store's own directory and its files are never accepted when everybody can write them. A directory
 * that a group can write is accepted with a warning, and so is a path whose beginning `open_basedir` hides: who set that
 * vouches for where it leads.
 *
 * @internal
 * @phpstan-import-type Stat from Head
 * @phpstan-type PublicPlace array{string, int}
 * @phpstan-type Place array{path: string, owner: ?int, mode: int, link: bool, public: ?PublicPlace}
 */
final class Trust
{
    /** Symbolic links on one path, as the kernel allows them. */
    private const MAX_LINKS = 40;

    /** What is mounted where (proc_pid_mountinfo(5)), once it was read for this judgement; empty where nobody tells. */
    private static ?string $mounts = null;

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
        self::$mounts = null;
        $places = self::walk($path);
        $last = $places[\count($places) - 1];
        if ($last['owner'] === null) {
            throw new Problem('cannot open the directory ' . Problem::printable($path) . ': open_basedir forbids it');
        }
        $user = self::user();
        $refusal = new Refusal($user);
        $warning = null;
        foreach ($places as $place) {
            $name = Problem::printable($place['path']);
            if ($place['owner'] === null) {
                $warning ??= \sprintf('who can write %s is not known: open_basedir hides it', $name);
                continue;
            }
            if ($place['public'] !== null) {
                $refusal->judgePublic($place['path'], $place['owner'], $place['link'] ? null : $place['mode'], $place['public']);
            } else {
                $refusal->judge($place['path'], $place['owner'], $place['mode'], [0, $user, $last['owner']], $place['path'] === $last['path']);
            }
            // What everybody can write is no matter of a group: what lies in it was judged.
            if (!$place['link'] && ($place['mode'] & 0o022) === 0o020) {
                $warning ??= \sprintf('%s is writable by a group (mode %04o): snapshots are copied instead of mapped', $name, $place['mode']);
            }
        }
        $refusal->end($last['path']);

        return new self($last['path'], $last['owner'], $warning);
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
        $refusal = new Refusal(self::user());
        $refusal->judgeEntry($path, $stat['uid'], $stat['mode'] & 0o7777, $owners);
        $refusal->end($path);
    }

    /**
     * Every place that is passed on the way, from the root; links where anybody may have put them. The last is the path made
     * canonical.
     *
     * @return non-empty-list<Place>
     */
    private static function walk(string $path): array
    {
        $absolute = \str_starts_with($path, '/') ? $path : (string) \getcwd() . '/' . $path;
        $pending = self::parts($absolute);
        $root = self::stat('/', $path, null);
        $chain = [$root];
        $places = [$root];
        $links = 0;
        while ($pending !== []) {
            $name = \array_shift($pending);
            if ($name === '..') {
                if (\count($chain) > 1) {
                    \array_pop($chain);
                }
                $places[] = $chain[\count($chain) - 1];
                continue;
            }
            $parent = $chain[\count($chain) - 1];
            $public = ($parent['mode'] & 0o002) !== 0 ? [$parent['path'], $parent['mode']] : $parent['public'];
            $place = self::stat(\rtrim($parent['path'], '/') . '/' . $name, $path, $public);
            if (!$place['link']) {
                $chain[] = $place;
                $places[] = $place;
                continue;
            }
            if (++$links > self::MAX_LINKS) {
                throw self::unopened($path, 'too many symbolic links');
            }
            if (!\function_exists('readlink')) {
                throw self::unopened($path, Problem::printable($place['path']) . ' is a symbolic link, and disable_functions in php.ini names readlink');
            }
            $target = @\readlink($place['path']);
            if ($target === false) {
                throw self::unopened($path, Problem::printable($place['path']) . ' may not be looked at');
            }
            if (\str_starts_with($target, '/')) {
                $chain = [$root];
            }
            $pending = [...self::parts($target), ...$pending];
            if ($public !== null) {
                $places[] = $place;
            }
        }
        // A link may have been the last thing passed.
        $here = $chain[\count($chain) - 1];
        if ($places[\count($places) - 1]['path'] !== $here['path']) {
            $places[] = $here;
        }

        return $places;
    }

    /** @return list<string> */
    private static function parts(string $path): array
    {
        return \array_values(\array_filter(\explode('/', $path), static fn (string $part): bool => $part !== '' && $part !== '.'));
    }

    /**
     * @param ?PublicPlace $public
     * @return Place
     */
    private static function stat(string $place, string $path, ?array $public): array
    {
        $stat = @\lstat($place);
        if ($stat === false && self::hidden($place, $path)) {
            return ['path' => $place, 'owner' => null, 'mode' => 0, 'link' => false, 'public' => null];
        }
        if ($stat === false) {
            throw self::unopened($path, Problem::printable($place) . ' is not there, or may not be looked at', Problem::MISSING);
        }
        $kind = $stat['mode'] & 0o170000;
        if ($kind !== 0o040000 && $kind !== 0o120000) {
            throw self::unopened($path, Problem::printable($place) . ' is not a directory');
        }

        return ['path' => $place, 'owner' => self::owner($stat), 'mode' => $stat['mode'] & 0o7777, 'link' => $kind === 0o120000, 'public' => $public];
    }

    /**
     * The owner: on a FUSE file system that another user than root mounted, where owners are what a process of that user says, that user.
     *
     * @param Stat $stat
     */
    private static function owner(array $stat): int
    {
        $major = (($stat['dev'] >> 8) & 0xfff) | (($stat['dev'] >> 32) & ~0xfff);
        $minor = ($stat['dev'] & 0xff) | (($stat['dev'] >> 12) & ~0xff);
        // FUSE's file systems have no device; nor have a container's.
        if ($major === 0) {
            self::$mounts ??= (string) @\file_get_contents('/proc/self/mountinfo');
            $is = "~^\\d+ \\d+ 0:$minor .* - fuse\\S* .*\\buser_id=(\\d+)~m";
            if (\preg_match($is, self::$mounts, $found) === 1 && $found[1] !== '0') {
                return (int) $found[1];
            }
        }

        return $stat['uid'];
    }

    private static function unopened(string $path, string $why, int $code = 0): Problem
    {
        return new Problem('cannot open the directory ' . Problem::printable($path) . ": $why", $code);
    }

    /** Whether `open_basedir` allows what is below that place, though not the place itself. */
    private static function hidden(string $place, string $path): bool
    {
        $bases = Settings::iniValue('open_basedir');
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
            $user = \function_exists('posix_geteuid') ? \posix_geteuid() : (\function_exists('fileowner') ? @\fileowner('/proc/self') : false);
        }

        return \is_int($user) ? $user : null;
    }
}
