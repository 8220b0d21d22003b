<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Reasons why a path is refused, and the commands that mend it.
 *
 * @internal
 */
final class Refusal
{
    /** @var list<string> */
    private array $reasons = [];
    /** @var array<string, true> points to consider before any command is typed */
    private array $advice = [];
    /** @var array<string, true> commands that this user can run */
    private array $commands = [];
    /** @var array<string, true> commands that only root can run */
    private array $forRoot = [];

    /** This process's user; null if unknown. */
    private readonly ?int $user;

    /** @param list<?int> $believed users whose files are believed wherever they lie: root, this process's, others */
    public function __construct(private readonly array $believed)
    {
        $this->user = $believed[1] ?? null;
    }

    /** @param list<?int> $owners */
    public function judge(string $path, int $owner, array $owners): void
    {
        if (\in_array($owner, $owners, true) || $this->belongsToNobodyHere($path, $owner)) {
            return;
        }
        $this->belongsToAnother($path, $owner, $owners);
        $this->advice["Let user $owner own the store, or make it elsewhere"] = true;
        if ($path !== '/var/lib/flagstone') {
            $this->add('install -d -m 0755 /var/lib/flagstone', false);
        }
    }

    /**
     * Judges a file in the store. Making root its owner would make another user's content root's.
     *
     * @param list<?int> $owners
     */
    public function judgeEntry(string $path, int $owner, int $mode, array $owners): void
    {
        $this->judgeMode($path, $owner, $mode, true);
        if (!\in_array($owner, $owners, true) && !$this->belongsToNobodyHere($path, $owner)) {
            $this->belongsToAnother($path, $owner, $owners);
            $this->advice["What user $owner put there is not to be trusted: publish again, or restore the store (docs/operations.md, Restore)"] = true;
        }
    }

    /** True if the user namespace does not map the owner: changing the owner, or making it again, mends nothing. */
    private function belongsToNobodyHere(string $path, int $owner): bool
    {
        if (!self::isUnmapped($owner)) {
            return false;
        }
        $this->reasons[] = LoadError::printable($path) . " belongs to a user that this user namespace does not map, and all of those look like user $owner";
        $this->advice['Map its owner into the namespace, or run this outside of it'] = true;

        return true;
    }

    /** True if that user stands for all that the user namespace does not map. */
    public static function isUnmapped(int $user): bool
    {
        $map = (string) @\file_get_contents('/proc/self/uid_map');
        if ($user !== (int) @\file_get_contents('/proc/sys/fs/overflowuid') || $map === '') {
            return false;
        }
        foreach (\explode("\n", \trim($map)) as $line) {
            [$first, , $count] = [...(array) \sscanf($line, '%d %d %d'), 0, 0];
            if ($user >= (int) $first && $user < (int) $first + (int) $count) {
                return false;
            }
        }

        return true;
    }

    /** @param list<?int> $owners */
    private function belongsToAnother(string $path, int $owner, array $owners): void
    {
        $this->reasons[] = \sprintf('%s belongs to user %d, expected %s', LoadError::printable($path), $owner, \implode(' or ', self::names($owners)));
    }

    /**
     * The users as people call them, each once.
     *
     * @param list<?int> $users
     * @return non-empty-list<string>
     */
    private static function names(array $users): array
    {
        return \array_values(\array_unique(\array_map(static fn (?int $user): string => ($user ?? 0) === 0 ? 'root' : "user $user", $users)));
    }

    /**
     * Judges a path below a world-writable directory, on the way to `$end`.
     *
     * @param ?int $mode null: a link has none
     * @param array{string, int, int} $public that directory, its mode and its owner
     */
    public function judgePublic(string $path, int $owner, ?int $mode, array $public, bool $mayBeStore, string $end): void
    {
        if ($mode !== null) {
            $this->judgeMode($path, $owner, $mode, $mayBeStore);
        }
        if (\in_array($owner, $this->believed, true) || $this->belongsToNobodyHere($path, $owner)) {
            return;
        }
        $names = self::names($this->believed);
        $this->reasons[] = \sprintf(
            '%s belongs to user %d, and everybody can write %s (mode %04o), in which only %s %s trusted',
            LoadError::printable($path),
            $owner,
            LoadError::printable($public[0]),
            $public[1],
            \implode(' and ', $names),
            \count($names) === 1 ? 'is' : 'are',
        );
        if ($mode === null) {
            $this->advice['Name the store by its own path instead of that link; it leads to ' . LoadError::printable($end)] = true;

            return;
        }
        $folder = \rtrim($public[0], '/') . '/flagstone';
        $folder .= $folder === $path ? "-$this->user" : '';
        $this->add(($this->user ?? 0) === 0 ? 'install -d -m 0755 /var/lib/flagstone' : 'mkdir -m 0755 ' . self::shell($folder), true);
    }

    /**
     * The warning of a world-writable directory without a sticky bit: anybody can rename what lies there, whoever owns it.
     *
     * @param array{string, int, int} $public that directory, its mode and its owner
     */
    public function exchangeable(array $public): ?string
    {
        [$path, $mode, $owner] = $public;
        if (($mode & 0o1000) !== 0) {
            return null;
        }

        return \sprintf(
            '%s is writable by everybody and not sticky (mode %04o): any user can put another store of %s in the place of this one. %s: chmod +t %s',
            LoadError::printable($path),
            $mode,
            \implode("'s or ", self::names($this->believed)) . "'s",
            \in_array($this->user, [0, $owner], true) ? 'Type' : 'Ask root to type',
            self::shell($path),
        );
    }

    /** @throws LoadError if there was a reason */
    public function end(string $path): void
    {
        if ($this->reasons === []) {
            return;
        }
        [$mine, $roots] = [\implode(' && ', \array_keys($this->commands)), \implode(' && ', \array_keys($this->forRoot))];
        $sentences = \array_keys($this->advice);
        $sentences[] = match (true) {
            $mine === '' && $roots === '' => '',
            $roots === '' => "Type: $mine",
            $mine === '' => "Ask root to type: $roots",
            default => "Type: $mine; and ask root to type: $roots",
        };
        throw new LoadError(\sprintf(
            '%s is not trusted: %s. %s',
            LoadError::printable($path),
            \implode('; ', $this->reasons),
            \implode('. ', \array_filter($sentences)),
        ));
    }

    /** Without `$mayBeStore` it is a directory like `/tmp`, from which nobody is to take the right to write. */
    public function judgeMode(string $path, int $owner, int $mode, bool $mayBeStore): void
    {
        if (($mode & 0o002) === 0) {
            return;
        }
        $this->reasons[] = \sprintf('%s is writable by everybody (mode %04o)', LoadError::printable($path), $mode);
        if ($mayBeStore) {
            $this->add('chmod o-w ' . self::shell($path), $owner === $this->user);
        } else {
            $this->advice["That is no store's directory: name the store's own, or for a new store one that is not there yet"] = true;
        }
    }

    /** Adds a command. `$mine`: this user can run it, although not root. */
    private function add(string $command, bool $mine): void
    {
        if ($mine || $this->user === 0) {
            $this->commands[$command] = true;
        } else {
            $this->forRoot[$command] = true;
        }
    }

    private static function shell(string $path): string
    {
        $text = LoadError::printable($path);

        return \preg_match('#^[A-Za-z0-9/._+,:@-]+$#D', $text) === 1 ? $text : "'" . \str_replace("'", "'\\''", $text) . "'";
    }
}
