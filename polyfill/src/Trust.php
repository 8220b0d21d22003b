<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Judges who else could change the files that this process reads: the path of a store, by the engine's rules.
 *
 * Every directory on the way must belong to root, to this process's user or to the owner of the store. A path below a
 * world-writable directory, symbolic links included, must belong to root or to this process's user and must not be
 * world-writable. `flagstone.owner` names one more user whose files count as this process's own. The store's own directory and its
 * files are never accepted if they are world-writable. In a world-writable directory without a sticky bit anybody can exchange entries of these users with each other: that is accepted with a warning. A directory
 * that a group can write is accepted with a warning, and so is a path whose beginning `open_basedir` hides: the administrator
 * who set that vouches for it. Links are followed by their text; those of `/proc` lead elsewhere and are refused.
 *
 * @internal
 * @phpstan-import-type Stat from Head
 * @phpstan-type PublicPlace array{string, int, int} its path, mode and owner
 * @phpstan-type Place array{path: string, owner: ?int, mode: int, link: bool, proc: bool, public: ?PublicPlace}
 */
final class Trust
{
    /** Maximum symbolic links on one path, the kernel's limit. */
    private const MAX_LINKS = 40;

    /** Entering the namespaces of a process that another user started runs that user's programs, so the advice never suggests it. */
    private const IN_CONTAINER = "Where the store is a container's, run the command there (docker exec, podman exec, kubectl exec), by the path that it has there";

    /** Mounts (proc_pid_mountinfo(5)), once they were read for this judgement; empty if they cannot be read. */
    private static ?string $mounts = null;

    private function __construct(
        public readonly string $path,
        public readonly int $owner,
        public readonly ?string $warning,
        /** True if others than root, this user and the store's owner could write files of it. */
        public bool $exposed,
    ) {
    }

    /** @throws LoadError */
    public static function directory(string $path): self
    {
        \clearstatcache();
        self::$mounts = null;
        $places = self::walk($path);
        $last = $places[\count($places) - 1];
        if ($last['owner'] === null) {
            throw new LoadError('cannot open the directory ' . LoadError::printable($path) . ': open_basedir forbids it');
        }
        $believed = self::believed();
        $refusal = new Refusal($believed);
        $warning = $exchangeable = null;
        // Nothing is asked of a file system that another user mounted.
        $hasHead = ($last['mode'] & 0o002) === 0 || !\in_array($last['owner'], $believed, true) || @\lstat($last['path'] . '/head') !== false;
        foreach ($places as $place) {
            $name = LoadError::printable($place['path']);
            if ($place['owner'] === null) {
                $warning ??= \sprintf('who can write %s is not known: open_basedir hides it', $name);
                continue;
            }
            $isLast = $place['path'] === $last['path'];
            $mayBeStore = ($place['mode'] & 0o1000) === 0 && ($hasHead || !$isLast);
            if ($place['public'] !== null) {
                $refusal->judgePublic($place['path'], $place['owner'], $place['link'] ? null : $place['mode'], $place['public'], $mayBeStore, $last['path']);
                $exchangeable ??= $refusal->exchangeable($place['public']);
            } else {
                if ($isLast) {
                    $refusal->judgeMode($place['path'], $place['owner'], $place['mode'], $mayBeStore);
                }
                $refusal->judge($place['path'], $place['owner'], [...$believed, $last['owner']]);
            }
            // A world-writable directory needs no warning about its group: its content was judged.
            if (!$place['link'] && ($place['mode'] & 0o022) === 0o020) {
                $warning ??= \sprintf('%s is writable by a group (mode %04o): snapshots are copied instead of mapped', $name, $place['mode']);
            }
        }
        $refusal->end($last['path']);

        return new self($last['path'], $last['owner'], $warning ?? $exchangeable, $warning !== null);
    }

    /**
     * Judges a file, or a directory inside the store, by its stat.
     *
     * @param Stat $stat
     * @throws LoadError
     */
    public function inside(string $path, array $stat): void
    {
        $believed = self::believed();
        $owners = [...$believed, $this->owner];
        if ($this->exposed) {
            // Users who may create files in the directory may own them.
            $owners[] = $stat['uid'];
        }
        $refusal = new Refusal($believed);
        $refusal->judgeEntry($path, $stat['uid'], $stat['mode'] & 0o7777, $owners);
        $refusal->end($path);
    }

    /**
     * Makes a path absolute, from the root on.
     *
     * @throws LoadError when it begins at the working directory, and no path leads to that: below `/proc/PID/root`, in another mount
     *                 namespace, `getcwd()` may return a path that leads to something else here
     */
    public static function absolute(string $path): string
    {
        if (\str_starts_with($path, '/')) {
            return $path;
        }
        $directory = (string) \getcwd();
        \clearstatcache();
        [$named, $here] = [@\lstat($directory), @\lstat('.')];
        $isSame = $named !== false && $here !== false && [$named['dev'], $named['ino']] === [$here['dev'], $here['ino']];
        if (!$isSame && ($directory === '' || Settings::iniValue('open_basedir') === '')) {
            $reason = $directory === ''
                ? 'the working directory has no path here'
                : 'the working directory is not what ' . LoadError::printable($directory) . ' leads to';
            throw self::untrusted($path, $reason, 'Name the store by an absolute path. ' . self::IN_CONTAINER);
        }

        return "$directory/$path";
    }

    /**
     * Every place on the way, from the root, and links below world-writable directories. The last place is the canonical path.
     *
     * @return non-empty-list<Place>
     */
    private static function walk(string $path): array
    {
        $pending = self::parts(self::absolute($path));
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
            $public = ($parent['mode'] & 0o002) !== 0 ? [$parent['path'], $parent['mode'], (int) $parent['owner']] : $parent['public'];
            $place = self::stat(\rtrim($parent['path'], '/') . '/' . $name, $path, $public);
            if (!$place['link']) {
                $chain[] = $place;
                $places[] = $place;
                continue;
            }
            if ($place['proc']) {
                throw self::linkOfProc($path, $place['path']);
            }
            if (++$links > self::MAX_LINKS) {
                throw self::unopened($path, 'too many symbolic links');
            }
            if (!\function_exists('readlink')) {
                throw self::unopened($path, LoadError::printable($place['path']) . ' is a symbolic link, and disable_functions in php.ini names readlink');
            }
            $target = @\readlink($place['path']);
            if ($target === false) {
                throw self::unopened($path, LoadError::printable($place['path']) . ' may not be looked at');
            }
            if (\str_starts_with($target, '/')) {
                $chain = [$root];
            }
            $pending = [...self::parts($target), ...$pending];
            if ($public !== null) {
                $places[] = $place;
            }
        }
        // The last part of the path may have been a link.
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
            return ['path' => $place, 'owner' => null, 'mode' => 0, 'link' => false, 'proc' => false, 'public' => null];
        }
        if ($stat === false) {
            throw self::unopened($path, LoadError::printable($place) . ' is not there, or may not be looked at', LoadError::MISSING);
        }
        $kind = $stat['mode'] & 0o170000;
        if ($kind === 0o040000 && self::liesOn('autofs', $stat['dev'])) {
            // Looking inside mounts it.
            $stat = @\lstat("$place/.") ?: $stat;
        }
        if ($kind !== 0o040000 && $kind !== 0o120000) {
            throw self::unopened($path, LoadError::printable($place) . ' is not a directory');
        }

        $isLink = $kind === 0o120000;
        $isOfProc = $isLink && (\str_starts_with($place, '/proc/') || self::liesOn('proc', $stat['dev']));

        return ['path' => $place, 'owner' => self::owner($stat), 'mode' => $stat['mode'] & 0o7777, 'link' => $isLink, 'proc' => $isOfProc, 'public' => $public];
    }

    /**
     * The owner. A FUSE file system shows whatever owners its process says: one that a user other than root mounted belongs to that user.
     *
     * @param Stat $stat
     */
    private static function owner(array $stat): int
    {
        [$system, $options] = self::mount($stat['dev']);
        $user = \str_starts_with($system, 'fuse') ? (int) \substr((string) \strstr($options, ',user_id='), 9) : 0;

        return $user !== 0 ? $user : $stat['uid'];
    }

    private static function liesOn(string $system, int $device): bool
    {
        return self::mount($device)[0] === $system;
    }

    /**
     * Type and options of that device's file system; empty if it is not known.
     *
     * @return array{string, string}
     */
    private static function mount(int $device): array
    {
        $major = (($device >> 8) & 0xfff) | (($device >> 32) & ~0xfff);
        $minor = ($device & 0xff) | (($device >> 12) & ~0xff);
        // File systems of the kernel, of FUSE and of containers have no device: their major number is 0.
        if ($major !== 0) {
            return ['', ''];
        }
        self::$mounts ??= (string) @\file_get_contents('/proc/self/mountinfo');
        // No regular expression: pcre.backtrack_limit may let none match. Blanks in paths are written in octal.
        foreach (\explode("\n", self::$mounts) as $line) {
            [$mount, $system] = \explode(' - ', $line) + ['', ''];
            if ((\explode(' ', $mount)[2] ?? '') === "0:$minor") {
                [$type, , $options] = \explode(' ', $system) + ['', '', ''];

                return [$type, ",$options"];
            }
        }

        return ['', ''];
    }

    /** The problem of a link such as `/proc/PID/root`: its text is `/`, but it leads to that process's root, in its mount namespace. */
    private static function linkOfProc(string $path, string $place): LoadError
    {
        $remedy = \preg_match('~/\d+/~', $place) === 1
            ? self::IN_CONTAINER
            : 'Name the store by a path that does not begin with /proc';

        return self::untrusted($path, LoadError::printable($place) . ' is a link of /proc, which does not lead where its text says', $remedy);
    }

    private static function untrusted(string $path, string $reason, string $remedy): LoadError
    {
        return new LoadError(LoadError::printable($path) . " is not trusted: $reason. $remedy");
    }

    private static function unopened(string $path, string $why, int $code = 0): LoadError
    {
        return new LoadError('cannot open the directory ' . LoadError::printable($path) . ": $why", $code);
    }

    /** True if `open_basedir` allows paths below that place, but not the place itself. */
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

    /**
     * The users whose files this process believes wherever they lie: root, its own, and the one that php.ini names.
     *
     * @return list<?int>
     */
    private static function believed(): array
    {
        $named = Settings::owner();

        return [0, self::user(), ...($named === null || Refusal::isUnmapped($named) ? [] : [$named])];
    }

    /** This process's user; null if it cannot be determined. */
    private static function user(): ?int
    {
        static $user = null;
        if ($user === null) {
            $user = \function_exists('posix_geteuid') ? \posix_geteuid() : (\function_exists('fileowner') ? @\fileowner('/proc/self') : false);
        }

        return \is_int($user) ? $user : null;
    }
}
