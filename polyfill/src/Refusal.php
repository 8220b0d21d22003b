<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * What is wrong with a path, and the commands that mend it.
 *
 * @internal
 */
final class Refusal
{
    /** @var list<string> */
    private array $reasons = [];
    /** @var array<string, true> what is to be considered before anything is typed */
    private array $advice = [];
    /** @var array<string, true> what this user can type */
    private array $commands = [];
    /** @var array<string, true> what only root can */
    private array $forRoot = [];

    /** @param ?int $user this process's; null where nobody tells */
    public function __construct(private readonly ?int $user)
    {
    }

    /** @param list<?int> $owners */
    public function judge(string $path, int $owner, int $mode, array $owners, bool $isStore): void
    {
        if ($isStore) {
            $this->judgeMode($path, $owner, $mode);
        }
        if (\in_array($owner, $owners, true)) {
            return;
        }
        $this->belongsToAnother($path, $owner, $owners);
        $this->advice["Let user $owner own the store, or make it elsewhere"] = true;
        $this->add('install -d -m 0755 /var/lib/flagstone', false);
    }

    /**
     * Judges what lies in the store. Root's word would make another user's content root's.
     *
     * @param list<?int> $owners
     */
    public function judgeEntry(string $path, int $owner, int $mode, array $owners): void
    {
        $this->judgeMode($path, $owner, $mode);
        if (!\in_array($owner, $owners, true)) {
            $this->belongsToAnother($path, $owner, $owners);
            $this->advice["What user $owner put there is not to be trusted: publish again, or restore the store (docs/operations.md, Restore)"] = true;
        }
    }

    /** @param list<?int> $owners */
    private function belongsToAnother(string $path, int $owner, array $owners): void
    {
        $names = \array_map(static fn (int $user): string => $user === 0 ? 'root' : "user $user", \array_filter($owners, is_int(...)));
        $this->reasons[] = \sprintf('%s belongs to user %d, expected %s', Problem::printable($path), $owner, \implode(' or ', \array_unique($names)));
    }

    /**
     * Judges what lies below a directory that everybody can write.
     *
     * @param ?int $mode null: a link has none
     * @param array{string, int} $public that directory and its mode
     */
    public function judgePublic(string $path, int $owner, ?int $mode, array $public): void
    {
        if ($mode !== null) {
            $this->judgeMode($path, $owner, $mode);
        }
        if ($owner === 0 || $owner === $this->user) {
            return;
        }
        $isRoot = ($this->user ?? 0) === 0;
        $this->reasons[] = \sprintf(
            '%s belongs to user %d, and everybody can write %s (mode %04o), in which %s trusted',
            Problem::printable($path),
            $owner,
            Problem::printable($public[0]),
            $public[1],
            $isRoot ? 'only root is' : "only root and user $this->user are",
        );
        $folder = \rtrim($public[0], '/') . '/flagstone';
        $folder .= $folder === $path ? "-$this->user" : '';
        $this->add($isRoot ? 'install -d -m 0755 /var/lib/flagstone' : 'mkdir -m 0755 ' . self::shell($folder), true);
    }

    /** @throws Problem where there was a reason */
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
        throw new Problem(\sprintf(
            '%s is not trusted: %s. %s',
            Problem::printable($path),
            \implode('; ', $this->reasons),
            \implode('. ', \array_filter($sentences)),
        ));
    }

    private function judgeMode(string $path, int $owner, int $mode): void
    {
        if (($mode & 0o002) !== 0) {
            $this->reasons[] = \sprintf('%s is writable by everybody (mode %04o)', Problem::printable($path), $mode);
            $this->add('chmod o-w ' . self::shell($path), $owner === $this->user);
        }
    }

    /** `$mine`: this user can type it, although not root. */
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
        $text = Problem::printable($path);

        return \preg_match('#^[A-Za-z0-9/._+,:@-]+$#D', $text) === 1 ? $text : "'" . \str_replace("'", "'\\''", $text) . "'";
    }
}
