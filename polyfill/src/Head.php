<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * The head's bytes, in the format of docs/store-format.md. Parts without a valid checksum count as absent.
 *
 * @internal
 * @phpstan-type Pointer array{generation: int, content: string, publishedAt: int, previous: int, previousContent: string, sum: int}
 * @phpstan-type Stat array{dev: int, ino: int, mode: int, uid: int, size: int, ...}
 */
final class Head
{
    private const SIZE = 65_536;
    private const MAGIC = "\x89FHEAD\r\n";
    private const SLOTS = 4_096;
    private const SLOT_SIZE = 256;
    private const KEY_SIZE = 192;
    private const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
    /** Attempts to read all bytes while forked processes move the position that they share. */
    private const MAX_READS = 16;

    /** @param resource $stream */
    private function __construct(
        private readonly mixed $stream,
        private readonly string $bytes,
        public readonly string $environment,
        /** Device and inode: another file in its place has others. */
        public readonly string $file,
        /** Id of the store. */
        public readonly string $store,
        public readonly bool $sharedWithGroup,
        private readonly Trust $directory,
    ) {
    }

    /** @throws LoadError */
    public static function read(Trust $directory): self
    {
        \clearstatcache();
        if (@\lstat("$directory->path/head") === false) {
            $name = LoadError::printable($directory->path);
            throw new LoadError("$name is not a store: it has no head" . LoadError::missingStore($directory->path));
        }

        return self::at("$directory->path/head", $directory);
    }

    /**
     * Reads and judges the head again; another file in its place is judged with its whole path.
     *
     * @throws LoadError
     */
    public function again(string $directory): self
    {
        \clearstatcache();
        $stat = @\lstat("$directory/head");
        if ($stat === false) {
            throw new LoadError('cannot look at the head ' . LoadError::printable("$directory/head") . ': it is not there, or may not be looked at');
        }
        $same = $this->file === $stat['dev'] . ':' . $stat['ino'];
        $head = self::at("$directory/head", $same ? $this->directory : Trust::directory($directory));

        // The file was replaced between the two looks.
        return $same && $head->file !== $this->file ? self::read(Trust::directory($directory)) : $head;
    }

    /** @throws LoadError if the path leads to another head, or to none */
    public function expectAt(string $directory): void
    {
        \clearstatcache();
        $stat = @\lstat("$directory/head");
        if ($stat === false || $this->file !== $stat['dev'] . ':' . $stat['ino']) {
            throw new LoadError(LoadError::printable("$directory/head") . ': another file took its place while a snapshot was opened', LoadError::UNREAD);
        }
    }

    /**
     * Reads the same file again by its stream, which is held open: the path may lead nowhere, or to what may not be read.
     *
     * @throws LoadError with the code UNREAD where the file may be whole
     */
    public function reread(): self
    {
        // An application may close every stream that it finds.
        $stat = \is_resource($this->stream) ? \fstat($this->stream) : false;
        if ($stat === false) {
            throw new LoadError('the stream of the head was closed', LoadError::UNREAD);
        }

        return self::of($this->stream, $stat, $this->directory);
    }

    private static function at(string $path, Trust $directory): self
    {
        [$stream, $stat] = self::open($path, 'open the head');
        // One call of the system for all bytes, none of which were read before.
        \stream_set_read_buffer($stream, 0);
        $directory->inside($path, $stat);

        return self::of($stream, $stat, $directory);
    }

    /**
     * @param resource $stream
     * @param Stat $stat
     */
    private static function of(mixed $stream, array $stat, Trust $directory): self
    {
        $path = "$directory->path/head";
        if ($stat['size'] !== self::SIZE) {
            throw self::broken($path, "found {$stat['size']} bytes, expected a file of " . self::SIZE);
        }
        $bytes = '';
        for ($attempt = 0; $attempt < self::MAX_READS && \strlen($bytes) !== self::SIZE; ++$attempt) {
            \rewind($stream);
            $bytes = (string) @\fread($stream, self::SIZE);
        }
        if (\strlen($bytes) !== self::SIZE) {
            throw new LoadError('cannot read the head ' . LoadError::printable($path) . ': found ' . \strlen($bytes) . ' of ' . self::SIZE . ' bytes', LoadError::UNREAD);
        }
        try {
            $environment = self::environment($bytes);
        } catch (LoadError $problem) {
            throw self::broken($path, $problem->getMessage());
        }

        return new self($stream, $bytes, $environment, $stat['dev'] . ':' . $stat['ino'], \substr($bytes, 16, 16), ($stat['mode'] & 0o020) !== 0, $directory);
    }

    /**
     * Opens a regular file that is no symbolic link, without waiting for a pipe or device put in its place.
     *
     * @return array{resource, Stat}
     *
     * @throws LoadError
     */
    public static function open(string $path, string $what): array
    {
        $name = LoadError::printable($path);
        \clearstatcache(true, $path);
        $found = @\lstat($path);
        if ($found === false) {
            $folder = @\lstat(\dirname($path) . '/.');
            throw new LoadError("cannot $what $name: it is not there", $folder === false ? LoadError::UNREAD : LoadError::MISSING);
        }
        // Opening a device or a pipe may have effects.
        self::plain($found['mode'], "cannot $what $name");
        // "n" opens without waiting, in case a pipe has taken the file's place since.
        $file = @\fopen($path, 'rbn');
        $stat = $file === false ? false : \fstat($file);
        if ($file === false || $stat === false) {
            $full = \str_contains(\error_get_last()['message'] ?? '', 'Too many open files');
            throw new LoadError("cannot $what $name: " . ($full ? 'the process has no free descriptor (`ulimit -n`)' : 'it may not be read'), LoadError::UNREAD);
        }
        self::plain($stat['mode'], "cannot $what $name");
        if ([$stat['dev'], $stat['ino']] !== [$found['dev'], $found['ino']]) {
            throw new LoadError("cannot $what $name: it was exchanged meanwhile", LoadError::UNREAD);
        }

        return [$file, $stat];
    }

    /** @throws LoadError if that is not the mode of a regular file */
    private static function plain(int $mode, string $what): void
    {
        $kind = [0o100000 => null, 0o040000 => 'a directory', 0o120000 => 'a symbolic link', 0o010000 => 'a pipe',
            0o140000 => 'a socket', 0o020000 => 'a device', 0o060000 => 'a device'];
        $found = \array_key_exists($mode & 0o170000, $kind) ? $kind[$mode & 0o170000] : 'something else';
        if ($found !== null) {
            throw new LoadError("$what: found $found, expected a file");
        }
    }

    public static function broken(string $path, string $problem): LoadError
    {
        return new LoadError(LoadError::printable($path) . ": $problem; restore it from a backup (docs/operations.md)");
    }

    public function same(self $other): bool
    {
        return $this->file === $other->file && $this->bytes === $other->bytes;
    }

    /** Goes up by one after every change. */
    public function epoch(): int
    {
        return \unpack('P', $this->bytes, 256)[1];
    }

    public function generation(): int
    {
        return \unpack('P', $this->bytes, 264)[1];
    }

    /** True if everything is stopped; null if its words disagree: being changed, or damaged. */
    public function stopped(): ?bool
    {
        ['stop' => $stop, 'since' => $since] = \unpack('Pstop/Psince', $this->bytes, 272);

        return $stop === 1 ? true : ($stop === 0 && $since === 0 ? false : null);
    }

    /**
     * Start of the stop, and time at which the last one ended; 0 if there is none.
     *
     * @return array{int, int}
     */
    public function stopTimes(): array
    {
        return [\unpack('P', $this->bytes, 280)[1], \unpack('P', $this->bytes, 448)[1]];
    }

    /**
     * The pointer of even (0) or odd (1) generations; null if it is not valid.
     *
     * @return ?Pointer
     */
    public function pointer(int $parity): ?array
    {
        $at = 320 + ($parity & 1) * 64;
        /** @var Pointer $pointer */
        $pointer = \unpack('Pgeneration/a16content/PpublishedAt/Pprevious/a16previousContent/Psum', $this->bytes, $at);
        $sound = self::sum(\substr($this->bytes, $at, 56)) === $pointer['sum'];
        if (!$sound || $pointer['generation'] <= 0 || ($pointer['generation'] & 1) !== ($parity & 1)) {
            return null;
        }
        $pointer['content'] = \bin2hex($pointer['content']);
        $pointer['previousContent'] = \bin2hex($pointer['previousContent']);

        return $pointer;
    }

    /**
     * The valid pointer to the newest generation; null if there is none.
     *
     * @return ?Pointer
     */
    public function newest(): ?array
    {
        [$even, $odd] = [$this->pointer(0), $this->pointer(1)];

        return ($odd['generation'] ?? 0) > ($even['generation'] ?? 0) ? $odd : $even;
    }

    /**
     * The pointer to the current generation; null if it is being written, or damaged.
     *
     * @return ?Pointer
     */
    public function current(): ?array
    {
        $newest = $this->newest();

        return ($newest['generation'] ?? 0) === $this->generation() ? $newest : null;
    }

    /** True if no generation was published yet. */
    public function isEmpty(): bool
    {
        return $this->generation() === 0 && $this->newest() === null;
    }

    /**
     * The kill slots that were ever used. A key is null if its checksum does not match.
     *
     * @return array<int, array{sequence: int, key: ?string}> by number
     */
    public function slots(): array
    {
        // The usual case: nothing was ever killed.
        if (\strspn($this->bytes, "\0", self::SLOTS) === self::SIZE - self::SLOTS) {
            return [];
        }
        $slots = [];
        for ($at = self::SLOTS; $at < self::SIZE; $at += self::SLOT_SIZE) {
            /** @var array{sequence: int, since: int, length: int} $slot */
            $slot = \unpack('Psequence/Psince/Plength', $this->bytes, $at);
            if ($slot['sequence'] !== 0) {
                $sound = $slot['length'] > 0 && $slot['length'] <= self::KEY_SIZE
                    && self::sum(\substr($this->bytes, $at + 8, 240)) === \unpack('P', $this->bytes, $at + 248)[1]
                    // The sequence as written, or revived since; slots of older versions hold zero.
                    && \in_array(\unpack('P', $this->bytes, $at + 216)[1], [0, $slot['sequence'], $slot['sequence'] - 1], true);
                $slots[\intdiv($at - self::SLOTS, self::SLOT_SIZE)] = [
                    'sequence' => $slot['sequence'],
                    'key' => $sound ? \substr($this->bytes, $at + 24, $slot['length']) : null,
                ];
            }
        }

        return $slots;
    }

    /**
     * Reason why the slots do not show which flags are killed; null if they do. Zeros would read as no kill at all.
     *
     * @param array<int, array{sequence: int, key: ?string}> $slots
     */
    public function doubt(array $slots): ?string
    {
        $torn = \count(\array_filter($slots, static fn (array $slot): bool => $slot['key'] === null && !self::isClaimed($slot['sequence'])));
        $room = \intdiv(self::SIZE - self::SLOTS, self::SLOT_SIZE);
        // A slot claimed by a process that died is not counted as used either.
        $used = \count(\array_filter($slots, static fn (array $slot): bool => ($slot['sequence'] & \PHP_INT_MAX) !== 0));
        $damaged = \min($room, \max(0, ($this->slotsUsed() & \PHP_INT_MAX) - $used)) + $torn;

        return $damaged === 0 ? null : "$damaged of its kill slots are damaged, so which flags are killed is not known: workers that start now have everything off. "
            . 'Type `flagstone resume-all`: it says which kills the audit trail has, and what to type then';
    }

    /** True if all slots that were ever used are counted. */
    public function countsSlots(): bool
    {
        return $this->slotsUsed() < 0;
    }

    /** Minimum number of slots that were ever used; negative if all were counted. */
    private function slotsUsed(): int
    {
        return \unpack('P', $this->bytes, 312)[1];
    }

    /** True while the slot is being written. */
    private static function isClaimed(int $sequence): bool
    {
        return ($sequence >> 32 & 0xFFFF_FFFF) === 0x8000_0000 && ($sequence & 1) === 0;
    }

    /** The environment's name, in the part that is written once. */
    private static function environment(string $bytes): string
    {
        /** @var array{magic: string, major: int, minor: int, size: int, store: string, created: int, length: int} $fixed */
        $fixed = \unpack('a8magic/vmajor/vminor/Vsize/a16store/Pcreated/Plength', $bytes);
        if ($fixed['magic'] !== self::MAGIC) {
            throw new LoadError('it starts with ' . LoadError::bytes($fixed['magic']) . ', which no head does');
        }
        if ($fixed['major'] !== 1) {
            throw new LoadError("store format {$fixed['major']}, this build reads 1; use the version that made the store");
        }
        if ($fixed['size'] !== self::SIZE) {
            throw new LoadError("it says that it has {$fixed['size']} bytes, expected " . self::SIZE);
        }
        [$found, $expected] = [\unpack('P', $bytes, 248)[1], self::sum(\substr($bytes, 0, 248))];
        if ($found !== $expected) {
            throw new LoadError(\sprintf('checksum %016x, expected %016x: bytes were damaged', $found, $expected));
        }
        $length = $fixed['length'];
        $name = $length > 0 && $length <= 64 ? \substr($bytes, 48, $length) : '';
        // Not by a regular expression, which fails where php.ini limits those.
        if (\strspn($name, self::LETTERS, 0, 1) !== 1 || \strspn($name, self::LETTERS . '0123456789_-') !== $length) {
            throw new LoadError('its environment\'s name is not valid: "' . LoadError::printable($name) . '"');
        }

        return $name;
    }

    private static function sum(string $bytes): int
    {
        return \unpack('J', \hash('xxh3', $bytes, true))[1];
    }
}
