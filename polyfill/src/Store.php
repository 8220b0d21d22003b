<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * One store as this process sees it. The last good snapshot stays: one that is missing, damaged, of another environment or
 * older than this head named before is refused, counted and tried again with growing pauses.
 *
 * @internal
 * @phpstan-import-type Pointer from Head
 */
final class Store extends FlagSource
{
    private const SECOND = 1_000_000_000;
    private const MAX_PAUSE = 300 * self::SECOND;
    /** Attempts to read a head that changes during reading. */
    private const MAX_READS = 16;
    /** Times that one look follows a head that moves on, or another one in its place. */
    private const MAX_MOVES = 4;
    /** Nanoseconds for which a head may be unreadable, by its path and by its stream, before its kills count as unknown. */
    private const UNREAD_LIMIT = 5 * self::SECOND;
    /** Times that a snapshot is looked for beside its head before it counts as missing. */
    private const MAX_LOOKS = 4;

    private Head $head;
    /** Warning of the judgement by which the path was opened. */
    private ?string $pathWarning;
    private ?string $served = null;
    private ?string $error = null;
    private ?string $missing = null;
    /** Reason why the kill slots do not show which flags are killed, and whether they ever did. */
    private ?string $doubt = null;
    /** True if others than root, this user and the owner could write files of the store, now or earlier. */
    private bool $exposed = false;
    private bool $killsKnown = false;
    /** Time of the first look that could not read the head at all, and whether that has lasted for the limit. */
    private ?int $unreadSince = null;
    private bool $isUnread = false;
    /** @var list<array{int, array{sequence: int, key: string, held?: bool}}> known kills, each with the number of its slot; `held`: the head went back, and lacks it */
    private array $kills = [];
    private ?bool $stop = null;
    /** Start of the stop that was read last, and whether the head went back and lacks it: it holds until the head says that a later one ended. */
    private int $stopSince = 0;
    private bool $stopHeld = false;
    /** @var list<string> kills of a head that another one replaced: they hold, as its stop does, until the new head's content answers */
    private array $formerKills = [];
    private bool $formerStop = false;
    private int $highest = 0;
    /** The head's epoch when it was last read. */
    private int $epoch = 0;
    /** The last snapshot that was not opened was seen missing or damaged beside the head that names it. */
    private bool $damaged = false;
    /** Snapshot that was refused last, length of the pause, and its end. */
    private ?string $bad = null;
    private int $pause = 0;
    private int $retryAt = 0;

    /** @throws LoadError */
    public function __construct(string $path)
    {
        // What a kill or a failing look needs: without a free descriptor no class can be loaded.
        \array_map(\class_exists(...), [Answer::class, LoadError::class]);
        $trust = Trust::directory($path);
        $this->directory = $trust->path;
        $this->pathWarning = $trust->warning;
        $this->head = Head::read($trust);
        $this->environment = $this->head->environment;
        $this->expose($trust, $this->head->sharedWithGroup);
        $this->load($this->head, (int) hrtime(true));
    }

    /** True if the judged path is this store's, with the same warning. */
    public function isAt(Trust $trust): bool
    {
        return $trust->path === $this->directory && $trust->warning === $this->pathWarning;
    }

    public function lastError(): ?string
    {
        return ($this->isUnread ? $this->missing : null) ?? $this->error ?? $this->missing ?? $this->doubt;
    }

    public function checkForUpdate(): bool
    {
        $now = (int) hrtime(true);
        try {
            $head = $this->head->again($this->directory);
            if ($head->file !== $this->head->file && $head->environment !== $this->environment) {
                throw Head::broken("$this->directory/head", "it is for the environment \"$head->environment\", expected \"$this->environment\"");
            }
            $this->missing = $this->directoryError();
            $this->unreadSince = null;
        } catch (LoadError $problem) {
            $this->missing = $problem->getMessage();
            $head = $this->reread($now);
        }
        $this->followUnread($now);
        $due = $this->bad !== null && $now >= $this->retryAt;
        if ($head->same($this->head) && !$due) {
            return false;
        }
        if ($head->file !== $this->head->file) {
            $this->replace();
        } elseif ($head->store !== $this->head->store) {
            $this->headGeneration = $head->generation();
            $this->refuse(Head::broken("$this->directory/head", "it was overwritten in place by the head of another store ($head->environment)")->getMessage());

            return false;
        }
        $this->head = $head;
        $this->load($head, $now);

        return true;
    }

    /** The head as its held stream shows it; the one that was read last where that shows none. */
    private function reread(int $now): Head
    {
        try {
            $head = $this->head->reread();
        } catch (LoadError $problem) {
            // No change can be made in a damaged head.
            $this->unreadSince = $problem->getCode() === LoadError::UNREAD ? $this->unreadSince ?? $now : null;

            return $this->head;
        }
        $this->unreadSince = null;

        return $head;
    }

    /** Takes every flag for killed while kills can be made that this process does not see. */
    private function followUnread(int $now): void
    {
        $isUnread = $this->unreadSince !== null && $now - $this->unreadSince >= self::UNREAD_LIMIT;
        if ($isUnread) {
            $this->missing .= '; which flags are killed is not known any more: everything is off until the head can be read';
        }
        if ($isUnread !== $this->isUnread) {
            $this->isUnread = $isUnread;
            $this->switches($this->head);
            if ($isUnread && \function_exists('error_log')) {
                \error_log("flagstone: $this->missing");
            }
        }
    }

    /** Forgets what the head before said, but the kills and the stop that its content goes on with. */
    private function replace(): void
    {
        [$this->highest, $this->epoch] = [0, 0];
        $this->bad = null;
        $this->error = null;
        $this->formerKills = $this->killed;
        $this->formerStop = $this->formerStop || $this->stop === true;
        [$this->kills, $this->killsKnown, $this->stop, $this->stopHeld] = [[], false, null, false];
        ++$this->replaced;
    }

    /** Reason why the directory may not be opened now; content read before goes on answering. */
    private function directoryError(): ?string
    {
        try {
            Trust::directory($this->directory);
        } catch (LoadError $problem) {
            return $problem->getMessage();
        }

        return null;
    }

    private function load(Head $head, int $now): void
    {
        for ($attempt = 1; $attempt < self::MAX_READS && !$head->isEmpty() && $head->current() === null; ++$attempt) {
            try {
                $head = $this->head = $this->head->again($this->directory);
            } catch (LoadError) {
                // The head that was read has to do.
                break;
            }
        }
        // Uses the head that is remembered: a kill between two attempts is not seen as a change later.
        $this->switches($head);
        if ($head->isEmpty()) {
            if ($this->highest === 0 && $this->snapshot !== null) {
                $this->refuse(Head::broken("$this->directory/head", 'it names no generation; the last one of the head before it answers on, '
                    . 'with the flags that were killed then')->getMessage());
            } elseif ($this->highest !== 0) {
                $this->refuse(Head::broken("$this->directory/head", "it went back from generation $this->highest to none; "
                    . "type: flagstone rollback --to $this->highest")->getMessage());
            }

            return;
        }
        $pointer = $head->current();
        if ($pointer === null) {
            $this->followDamaged($head, $now);

            return;
        }
        $this->follow($head, $pointer, $now);
    }

    /** Follows a head whose newest pointer is damaged: by the name of its snapshot, or by the pointer that is left. */
    private function followDamaged(Head $head, int $now): void
    {
        [$generation, $newest] = [$head->generation(), $head->newest()];
        $isOlder = $newest !== null && $newest['generation'] > $generation;
        try {
            $content = $isOlder ? null : $this->contentByName($generation);
        } catch (LoadError $problem) {
            [$this->bad, $this->pause, $this->retryAt] = ['', self::SECOND, $now + self::SECOND];
            $this->refuse($problem->getMessage());

            return;
        }
        if ($content !== null) {
            $before = $this->error;
            $this->follow($head, ['generation' => $generation, 'content' => $content, 'publishedAt' => 0, 'previous' => $newest['generation'] ?? 0,
                'previousContent' => $newest['content'] ?? '', 'sum' => 0], $now);
            if ($this->source !== 'current') {
                return;
            }
            $this->error = $before;
        } elseif ($this->snapshot === null && $newest !== null) {
            $this->fallBack($newest['generation'], $newest['content'], $newest['publishedAt']);
        }
        [$answers, $mends] = $newest === null ? ['nothing', 'publish FILE --reset all']
            : ["generation {$newest['generation']}", "rollback --to {$newest['generation']}"];
        $next = 'the next publish, rollback or change of a flag mends it';
        $this->refuse(LoadError::printable("$this->directory/head") . ': ' . match (true) {
            $isOlder => "it names an older generation than {$newest['generation']}, which was published last and answers; $next",
            $content !== null => "its pointer to generation $generation is not valid; the snapshot of that number answers; $next",
            default => "its pointer to generation $generation is not valid, and no snapshot of generation $generation is there: in workers that start "
                . "$answers answers. Type at once `flagstone kill FLAG` for what is to stay off; `flagstone $mends` mends it",
        });
    }

    /**
     * The content of that generation, if its snapshot lies beside this head.
     *
     * @throws LoadError
     */
    private function contentByName(int $generation): ?string
    {
        $folder = "$this->directory/snapshots";
        Trust::directory($this->directory);
        $names = @\scandir($folder);
        $this->head->expectAt($this->directory);
        if ($names === false) {
            throw new LoadError('cannot list the snapshots of ' . LoadError::printable($this->directory), LoadError::UNREAD);
        }
        // Not by a regular expression, which fails where php.ini limits those.
        foreach ($names as $name) {
            if (\strlen($name) === 62 && \str_starts_with($name, \sprintf('%020d-', $generation)) && \str_ends_with($name, '.snapshot')) {
                return \substr($name, 21, 32);
            }
        }

        return null;
    }

    /** @param Pointer $pointer */
    private function follow(Head $head, array $pointer, int $now, int $moves = self::MAX_MOVES): void
    {
        $generation = $pointer['generation'];
        if ($generation < $this->highest) {
            $this->refuse(Head::broken("$this->directory/head", "it went back in place from generation $this->highest to $generation; "
                . "type: flagstone rollback --to $this->highest")->getMessage());

            return;
        }
        $this->highest = $generation;
        $named = \sprintf('%020d-%s', $generation, $pointer['content']);
        if ($this->served === $named) {
            $this->serveCurrent();

            return;
        }
        if ($this->bad === $named && $now < $this->retryAt) {
            return;
        }
        try {
            $this->serve($this->open($named, $pointer['content']), $generation, $named, $pointer['publishedAt']);
            $this->serveCurrent();
        } catch (LoadError $problem) {
            // With a quick publisher, the snapshot that a slow reader is about to open may already be removed as too old.
            $next = $moves > 0 ? $this->newerPointer($generation) : null;
            if ($next !== null) {
                $this->follow($this->head, $next, $now, $moves - 1);

                return;
            }
            $this->pause = $this->bad === $named ? \min($this->pause * 2, self::MAX_PAUSE) : self::SECOND;
            $this->retryAt = $now + $this->pause;
            $again = $this->bad === $named;
            $this->bad = $named;
            $this->refuse("generation $generation was refused: " . $problem->getMessage(), $again);
            // A snapshot that only cannot be read may be whole: what it denies stays denied.
            if ($this->snapshot === null && $pointer['previous'] !== 0 && $this->damaged) {
                $before = $head->pointer(($generation & 1) ^ 1);
                $publishedAt = $before !== null && $before['generation'] === $pointer['previous'] ? $before['publishedAt'] : 0;
                $this->fallBack($pointer['previous'], $pointer['previousContent'], $publishedAt);
            }
        }
    }

    /**
     * The pointer of the current head, if that names a later generation than this one, or is another store's in this one's place.
     *
     * @return ?Pointer
     */
    private function newerPointer(int $generation): ?array
    {
        try {
            $head = $this->head->again($this->directory);
        } catch (LoadError) {
            return null;
        }
        $pointer = $head->current();
        $replaced = $head->file !== $this->head->file;
        $isLater = $head->store === $this->head->store && $pointer !== null && $pointer['generation'] > $generation;
        if ($pointer === null || $head->environment !== $this->environment || !($replaced || $isLater)) {
            return null;
        }
        if ($replaced) {
            $this->replace();
        }
        $this->head = $head;
        $this->switches($head);

        return $pointer;
    }

    /**
     * Updates kills and stop. A kill holds until its slot says that the flag was revived, or that another is killed there; the stop
     * holds until its words say that everything goes on. Damaged bytes say neither.
     */
    private function switches(Head $head): void
    {
        $this->headGeneration = $head->generation();
        $slots = $head->slots();
        $doubt = $head->doubt($slots);
        // A head that is older than when it was last read, as a copy written over it is, shows kills from before.
        $generation = \max($head->generation(), $head->newest()['generation'] ?? 0);
        $back = $generation < $this->highest || $head->epoch() < $this->epoch;
        $this->epoch = $head->epoch();
        $kills = \array_filter($slots, static fn (array $slot): bool => ($slot['sequence'] & 1) === 1 && $slot['key'] !== null);
        $held = [];
        foreach ($this->kills as [$number, $kill]) {
            $kill['held'] = ($kill['held'] ?? false) || $back;
            $surely = $doubt === null && $head->countsSlots() && !$kill['held'];
            ['sequence' => $sequence, 'key' => $key] = $slots[$number] ?? ['sequence' => 0, 'key' => null];
            $higher = $sequence > $kill['sequence'];
            $over = match (true) {
                $key === $kill['key'] => $higher || ($surely && ($sequence & 1) === 0),
                $key !== null => $surely || ($doubt === null && !$kill['held'] && $higher),
                default => $surely && $sequence === 0,
            };
            if (($kills[$number]['key'] ?? null) === $kill['key'] && $kills[$number]['sequence'] === $kill['sequence']) {
                // The very kill: its slot may be overwritten as well at the next look.
                $kills[$number]['held'] = $kill['held'];
            } elseif (!$over && !\in_array($kill['key'], \array_column($kills, 'key'), true)) {
                $held[] = [$number, $kill];
            }
        }
        $this->kills = [...\array_map(null, \array_keys($kills), \array_values($kills)), ...$held];
        $killed = \array_map(static fn (array $known): string => $known[1]['key'], $this->kills);
        $this->killed = \array_values(\array_unique([...$killed, ...$this->formerKills]));
        $this->followStop($head, $back);
        $reason = $doubt ?? self::heldText($held, $this->stopHeld && $head->stopped() !== true);
        $this->doubt = $reason === null ? null : LoadError::printable("$this->directory/head") . ": $reason";
        $this->killsKnown = $this->killsKnown || $doubt === null;
        $this->killsUnknown = !$this->killsKnown || $this->isUnread;
        $this->stopped = $this->stop || $this->killsUnknown || $this->formerStop;
    }

    private function followStop(Head $head, bool $back): void
    {
        [$since, $ended] = $head->stopTimes();
        $this->stopHeld = ($this->stopHeld || $back) && $this->stop === true;
        // A stop whose words could never be read may be on.
        $stop = $head->stopped() ?? $this->stop ?? true;
        if ($head->stopped() === true) {
            // The words of the very stop may be overwritten as well at the next look.
            $this->stopHeld = $this->stopHeld && $since === $this->stopSince;
            $this->stopSince = $since;
        } elseif ($head->stopped() === false) {
            $stop = $this->stopHeld = $this->stopHeld && $ended <= $this->stopSince;
        }
        $this->stop = $stop;
    }

    /**
     * The kills and the stop that a head lacks since it went back, and how to end them; null if it lacks none.
     *
     * @param list<array{int, array{key: string, held?: bool}}> $kills
     */
    private static function heldText(array $kills, bool $isStopped): ?string
    {
        $held = \array_filter($kills, static fn (array $known): bool => $known[1]['held'] ?? false);
        $keys = \implode(', ', \array_map(static fn (array $known): string => $known[1]['key'], $held));

        $lacks = [];
        if ($isStopped) {
            $lacks[] = 'the stop that this process has read: everything stays off here. Type `flagstone stop-all` for everything to stay off everywhere, '
                . 'or `flagstone resume-all`';
        }
        if ($held !== []) {
            $lacks[] = "kills that this process has read: $keys stays off here. Type "
                . '`flagstone kill` for what is to stay off everywhere; what is to be on is killed and revived once more';
        }

        return $lacks === [] ? null : 'it went back in place, as an older copy of it would, and lacks ' . \implode('; and ', $lacks);
    }

    private function fallBack(int $generation, string $content, int $publishedAt): void
    {
        $named = \sprintf('%020d-%s', $generation, $content);
        try {
            $this->serve($this->open($named, $content), $generation, $named, $publishedAt);
            $this->source = 'previous';
        } catch (LoadError) {
            // Status shows the error of the current snapshot.
        }
    }

    /**
     * Opens a snapshot beside the head that names it. PHP can hold no directory, so that the path may lead to another store, or nowhere,
     * at any moment: what is seen counts only with the same head before and after, and a missing file only after several looks.
     *
     * @throws LoadError
     */
    private function open(string $named, string $content): Snapshot
    {
        $this->damaged = false;
        for ($look = 1; ; ++$look) {
            // Judged again: the path may have been opened to others meanwhile.
            $trust = Trust::directory($this->directory);
            $this->expose($trust, false);
            $trust->exposed = $this->exposed;
            $this->head->expectAt($this->directory);
            try {
                return $this->openOnce($trust, $named, $content);
            } catch (LoadError $problem) {
                $this->head->expectAt($this->directory);
                if ($look === self::MAX_LOOKS || $problem->getCode() !== LoadError::MISSING) {
                    $this->damaged = $problem->getCode() !== LoadError::UNREAD;
                    throw $problem;
                }
            }
        }
    }

    /** @throws LoadError */
    private function openOnce(Trust $trust, string $named, string $content): Snapshot
    {
        $folder = "$this->directory/snapshots";
        $stat = @\lstat($folder);
        if ($stat === false || ($stat['mode'] & 0o170000) !== 0o040000) {
            throw new LoadError(LoadError::printable($folder) . ': expected a directory', $stat === false ? LoadError::MISSING : 0);
        }
        $trust->inside($folder, $stat);
        $path = "$folder/$named.snapshot";
        [$file, $stat] = Head::open($path, 'open the snapshot');
        $trust->inside($path, $stat);
        try {
            // A process of one request seldom asks about a long list; the file is closed with the last reference to it.
            $snapshot = Snapshot::read($file, $stat['size'], Settings::isLongLived());
        } catch (LoadError $problem) {
            throw $problem->withPrefix(LoadError::printable($path) . ': ');
        }
        if ($snapshot->contentId !== $content) {
            throw new LoadError(LoadError::printable($path) . ": its content is $snapshot->contentId, expected $content; it is another snapshot under this name");
        }
        if ($snapshot->environment !== $this->environment) {
            throw new LoadError(LoadError::printable($path) . ": compiled for the environment \"$snapshot->environment\", expected "
                . "\"$this->environment\", the store's; publish again");
        }

        return $snapshot;
    }

    private function serve(Snapshot $snapshot, int $generation, string $named, int $publishedAt): void
    {
        ++$this->loads;
        $this->snapshot = $snapshot;
        $this->generation = $generation;
        $this->served = $named;
        $this->publishedAt = $publishedAt;
    }

    private function serveCurrent(): void
    {
        $this->source = 'current';
        $this->bad = null;
        $this->error = null;
        if ($this->formerKills !== [] || $this->formerStop) {
            [$this->formerKills, $this->formerStop] = [[], false];
            $this->switches($this->head);
        }
    }

    private function refuse(string $text, bool $again = false): void
    {
        if (!$again && $this->error !== $text) {
            ++$this->refused;
        }
        $this->error = $text;
        if ($this->snapshot !== null && $this->source === 'current') {
            $this->source = 'last_good';
        }
    }

    private function expose(Trust $trust, bool $headShared): void
    {
        if (!$this->exposed) {
            $this->exposed = $trust->exposed || $headShared;
            $warning = $headShared && !$trust->exposed ? LoadError::printable($this->directory) . '/head is writable by a group' : $trust->warning;
            // What it was by the path that was given stays: that may lead here by a link.
            $this->warning = $this->exposed ? $warning : $this->warning ?? $warning;
        }
    }
}
