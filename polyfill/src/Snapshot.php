<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * A snapshot: one immutable file that answers for one environment, in the format of docs/snapshot-format.md.
 *
 * Opening proves the checksums; the definitions at the file's end are not read. Records are unpacked when they are needed, and
 * rejected then if a reference leaves its section. Long lists of companies can stay in the file: they are proved, and read when
 * a question needs them.
 *
 * @internal
 * @phpstan-import-type FlagRecord from Compiled
 * @phpstan-import-type Test from Compiled
 * @phpstan-import-type Rule from Compiled
 * @phpstan-import-type Variant from Compiled
 * @phpstan-type ListRecord array{ints: int, probe: int, count: int, base: int, words: int, size: int, textWords: int, textSlots: int,
 *     textProbe: int, textCount: int}
 * @phpstan-type Unpacked array{keyOffset: int, keyLength: int, rules: int, shape: int, bits: int, seed: int, threshold: int, by: int,
 *     variantSeed: int, requires: int, requiresCount: int, needs: int, needsCount: int, rulesCount: int, steps: int,
 *     stepsCount: int, variants: int, variantsCount: int, allow: int, deny: int, ...}
 */
final class Snapshot implements Compiled
{
    public const STRINGS = 0;
    public const FLAGS = 2;
    public const ATTRIBUTES = 3;
    public const LINKS = 4;
    public const RULES = 5;
    public const TESTS = 6;
    public const STEPS = 7;
    public const VARIANTS = 8;
    public const CELLS = 9;
    public const LISTS = 10;
    public const WORDS = 11;
    public const KEYS = 12;

    private const NAMES = ['strings', 'index', 'flags', 'attributes', 'links', 'rules', 'tests', 'steps', 'variants',
        'cells', 'lists', 'words', 'keys', 'definitions'];
    private const ENTRY = [1, 16, 128, 16, 4, 32, 32, 16, 32, 16, 64, 8, 1, 1];
    private const DEFINITIONS = 13;
    private const HEADER_SIZE = 512;
    private const AUDIT_SIZE = 48;
    private const MINOR = 1;
    /** Bytes that are copied at a time to be hashed. */
    private const CHUNK = 1 << 18;
    /** Words and keys up to this size are always held in memory. */
    private const SHORT = 1 << 17;
    private const MAGIC = "\x89FSNAP\r\n";
    private const FLAG = 'Phash/VkeyOffset/vkeyLength/Cshape/Cbits/Pseed/Vthreshold/Vby/PvariantSeed/Vrequires/'
        . 'VrequiresCount/Vneeds/VneedsCount/Vrules/VrulesCount/Vsteps/VstepsCount/Vvariants/VvariantsCount/Vallow/Vdeny/Vcurrent';

    /** Value of a record's list field without a list. */
    public const NO_LIST = 0xFFFF_FFFF;

    /** Maximum number of unpacked flags: asking for all of them must not take a multiple of the file's memory. */
    private const KEPT = 2048;
    /** Maximum number of unpacked tests. */
    private const KEPT_TESTS = 20_000;

    /** Offset in a flag's record, in bytes, of the flag whose former key this is. */
    private const FORMER = 88;

    // Limits at which a reader rejects a file: docs/snapshot-format.md.
    private const MAX_KEY = 191;
    private const MAX_REQUIRES = 64;
    private const MAX_RULES = 1_000;
    private const MAX_TESTS = 10_000;
    private const MAX_OPERAND = 1_024;
    private const MAX_PROBE = 10_000;
    private const MAX_DEFINITIONS = 256 << 20;

    /** @var array<int, Unpacked> flags unpacked so far, by number */
    private array $flags = [];
    /** @var array<array-key, int> numbers of flags by key */
    private array $numbers = [];
    /** @var array<int, list<Rule>> */
    private array $rules = [];
    /** Number of tests in these rules. */
    private int $keptTests = 0;

    /**
     * @param string          $bytes   all sections, or all but words and keys
     * @param resource|null   $file    file of words and keys, if they are not in the bytes
     * @param array<int, int> $offsets of the sections
     * @param array<int, int> $sizes   in bytes
     */
    private function __construct(
        private readonly string $bytes,
        private readonly mixed $file,
        private readonly array $offsets,
        private readonly array $sizes,
        private readonly int $keyCount,
        public readonly string $environment,
        public readonly string $contentId,
    ) {
    }

    /**
     * @param resource $file  open, at its start; no other code reads it afterwards
     * @param bool     $whole hold long lists in memory: opening takes longer, a question about one less. Processes that fork
     *                        need this, since a file's position is shared across a fork.
     *
     * @throws LoadError
     */
    public static function read(mixed $file, int $size, bool $whole = true): self
    {
        $header = (string) \fread($file, self::HEADER_SIZE);
        if ($size < self::HEADER_SIZE || \strlen($header) < self::HEADER_SIZE) {
            $code = $size < self::HEADER_SIZE ? 0 : LoadError::UNREAD;
            throw new LoadError("the snapshot has $size bytes, expected at least 512: it was cut off; publish again", $code);
        }
        if (!\str_starts_with($header, self::MAGIC)) {
            throw new LoadError('not a Flagstone snapshot: it starts with ' . LoadError::bytes(\substr($header, 0, 8)));
        }
        /** @var array{major: int, minor: int, header: int, size: int, required: int, optional: int, checksum: int, flags: int, probe: int, name: int, length: int} $fixed */
        $fixed = \unpack('vmajor/vminor/Vheader/Psize/Prequired/Poptional/Pchecksum/Vflags/Vprobe/Vname/Vlength', $header, 8);
        if ($fixed['major'] !== 1) {
            throw new LoadError("format {$fixed['major']}, this build reads 1; publish again with this version, or upgrade the reader");
        }
        $cleared = \substr($header, 0, 40) . "\0\0\0\0\0\0\0\0" . \substr($header, 48);
        self::verify('header', \hash('xxh3', $cleared, true), $fixed['checksum']);
        if ($fixed['required'] !== 0) {
            throw new LoadError(\sprintf('the snapshot needs features %#x that this build does not know; upgrade the reader', $fixed['required']));
        }
        self::expect('header', 'header_size', $fixed['header'], self::HEADER_SIZE);
        if ($size < $fixed['size']) {
            throw new LoadError("found $size bytes, expected {$fixed['size']} as its header says: it was cut off; publish again");
        }
        self::expect('header', 'file_size', $fixed['size'], $size);
        [$offsets, $sizes, $sums] = self::table($header, $size, $fixed['minor']);
        self::limit('definitions', 'size', $sizes[self::DEFINITIONS], self::MAX_DEFINITIONS);
        $end = $offsets[self::DEFINITIONS];
        $held = $whole || $end - $offsets[self::WORDS] <= self::SHORT;
        $end = $held ? $end : $offsets[self::WORDS];
        Memory::reserve($end);
        \rewind($file);
        // One string, never joined: the bytes are in memory once.
        $bytes = (string) \fread($file, $end);
        while (\strlen($bytes) < $end && ($more = (string) \fread($file, $end - \strlen($bytes))) !== '') {
            $bytes .= $more;
        }
        if (\strlen($bytes) !== $end || \strncmp($bytes, $header, self::HEADER_SIZE) !== 0) {
            throw new LoadError("the snapshot has fewer than the $end bytes that it had; publish again", LoadError::UNREAD);
        }
        for ($section = 0; $section < self::DEFINITIONS; ++$section) {
            $hash = \hash_init('xxh3');
            for ($at = $offsets[$section], $left = $sizes[$section]; $left > 0; $at += self::CHUNK, $left -= self::CHUNK) {
                $length = \min(self::CHUNK, $left);
                \hash_update($hash, $at < $end ? \substr($bytes, $at, $length) : self::readBytes($file, $at, $length));
            }
            self::verify(self::NAMES[$section], \hash_final($hash, true), $sums[$section]);
        }
        self::expect('header', 'flag_count', $fixed['flags'], \intdiv($sizes[self::FLAGS], 128));
        if ($fixed['name'] + $fixed['length'] > $sizes[self::STRINGS]) {
            throw new LoadError('header[0].environment: leaves the strings: not written by a sound compiler');
        }
        $environment = \substr($bytes, $offsets[self::STRINGS] + $fixed['name'], $fixed['length']);

        return new self($bytes, $held ? null : $file, $offsets, $sizes, $fixed['flags'], $environment, \hash('xxh128', $header));
    }

    public function count(): int
    {
        return $this->keyCount;
    }

    public function flagCount(): int
    {
        $count = 0;
        for ($number = 0; $number < $this->keyCount; ++$number) {
            $count += (int) (\substr($this->bytes, $this->at(self::FLAGS, $number, 1) + self::FORMER, 4) === "\0\0\0\0");
        }

        return $count;
    }

    public function environment(): string
    {
        return $this->environment;
    }

    public function find(string $key): ?int
    {
        if (isset($this->numbers[$key])) {
            return $this->numbers[$key];
        }
        // Binary search: keys are sorted as strcmp sorts.
        $low = 0;
        $high = $this->keyCount - 1;
        $first = $this->offsets[self::FLAGS] + 8;
        $strings = $this->offsets[self::STRINGS];
        while ($low <= $high) {
            $middle = ($low + $high) >> 1;
            /** @var array{offset: int, length: int} $name */
            $name = \unpack('Voffset/vlength', $this->bytes, $first + 128 * $middle);
            $order = \strcmp(\substr($this->bytes, $strings + $name['offset'], $name['length']), $key);
            if ($order === 0) {
                return $this->numbers[$key] = $middle;
            }
            if ($order < 0) {
                $low = $middle + 1;
            } else {
                $high = $middle - 1;
            }
        }

        return null;
    }

    public function flag(int $number): array
    {
        if (isset($this->flags[$number])) {
            return $this->flags[$number];
        }
        if (\count($this->flags) >= self::KEPT) {
            $this->flags = [];
            $this->rules = [];
            $this->keptTests = 0;
            $this->numbers = [];
        }

        /** @var Unpacked $flag */
        $flag = \unpack(self::FLAG, $this->bytes, $this->at(self::FLAGS, $number, 1));
        self::limit('flags', "key's length", $flag['keyLength'], self::MAX_KEY);
        self::limit('flags', "requires' count", $flag['requiresCount'], self::MAX_REQUIRES);
        self::limit('flags', "needs' count", $flag['needsCount'], \intdiv($this->sizes[self::ATTRIBUTES], 16));
        self::limit('flags', "rules' count", $flag['rulesCount'], self::MAX_RULES);

        return $this->flags[$number] = $flag;
    }

    public function key(int $number): string
    {
        /** @var Unpacked $flag */
        $flag = $this->flag($number);

        return $this->text($flag['keyOffset'], $flag['keyLength']);
    }

    public function links(int $first, int $count): array
    {
        if ($count === 0) {
            return [];
        }

        /** @var array<int, int> $links */
        $links = \unpack("V$count", $this->bytes, $this->at(self::LINKS, $first, $count));

        return \array_values($links);
    }

    public function attribute(int $number): string
    {
        /** @var array{offset: int, length: int} $name */
        $name = \unpack('Voffset/Vlength', $this->bytes, $this->at(self::ATTRIBUTES, $number, 1) + 8);

        return $this->text($name['offset'], $name['length']);
    }

    public function needs(int $flag): array
    {
        $record = $this->flag($flag);

        return \array_map($this->attribute(...), $this->links($record['needs'], $record['needsCount']));
    }

    public function rules(int $number): array
    {
        if (isset($this->rules[$number])) {
            return $this->rules[$number];
        }
        /** @var Unpacked $flag */
        $flag = $this->flag($number);
        $rules = [];
        $tests = 0;
        $at = $this->at(self::RULES, $flag['rules'], $flag['rulesCount']);
        for ($i = 0; $i < $flag['rulesCount']; ++$i, $at += 32) {
            /** @var array{name: int, length: int, tests: int, count: int, threshold: int} $rule */
            $rule = \unpack('Vname/Vlength/Vtests/Vcount/Vthreshold', $this->bytes, $at);
            self::limit('flags', "rules' tests", $tests += $rule['count'], self::MAX_TESTS);
            self::limit('rules', "name's length", $rule['length'], self::MAX_OPERAND);
            $rules[] = [
                $rule['length'] === 0 ? null : $this->text($rule['name'], $rule['length']),
                $this->tests($rule['tests'], $rule['count']),
                $rule['threshold'],
            ];
        }
        if ($this->keptTests + $tests > self::KEPT_TESTS) {
            $this->rules = [];
            $this->keptTests = 0;
        }
        $this->keptTests += $tests;

        return $this->rules[$number] = $rules;
    }

    public function step(array $flag, int $now): ?int
    {
        if ($flag['stepsCount'] === 0) {
            return null;
        }
        $at = $this->at(self::STEPS, $flag['steps'], $flag['stepsCount']);
        // Binary search for the number of steps that have come: they are ascending.
        [$come, $end] = [0, $flag['stepsCount']];
        while ($come < $end) {
            $middle = ($come + $end) >> 1;
            if (\unpack('P', $this->bytes, $at + 16 * $middle)[1] <= $now) {
                $come = $middle + 1;
            } else {
                $end = $middle;
            }
        }

        return $come === 0 ? null : \unpack('V', $this->bytes, $at + 16 * ($come - 1) + 8)[1];
    }

    public function variants(array $flag): iterable
    {
        // Yields one at a time: only the file's size limits their number.
        $at = $this->at(self::VARIANTS, $flag['variants'], $flag['variantsCount']);
        for ($i = 0; $i < $flag['variantsCount']; ++$i, $at += 32) {
            /** @var array{name: int, length: int, upper: int, has: int, cell: int} $variant */
            $variant = \unpack('Vname/Vlength/Vupper/Vhas/Vcell', $this->bytes, $at);
            $name = $this->text($variant['name'], $variant['length']);

            yield [$name, $variant['upper'], $variant['has'] === 0 ? null : $variant['cell']];
        }
    }

    public function value(int $cell): mixed
    {
        return Values::at($this, $cell);
    }

    public function lists(int $list, int|string $key): bool
    {
        return $list !== self::NO_LIST && Lists::has($this, $list, $key);
    }

    public function isEmptyList(int $list): bool
    {
        return Lists::isEmpty($this, $list);
    }

    /** Number of cells. */
    public function cells(): int
    {
        return \intdiv($this->sizes[self::CELLS], 16);
    }

    /**
     * A cell: tag, count, payload.
     *
     * @return array{tag: int, count: int, payload: int}
     */
    public function cell(int $number): array
    {
        /** @var array{tag: int, count: int, payload: int} $cell */
        $cell = \unpack('Vtag/Vcount/Ppayload', $this->bytes, $this->at(self::CELLS, $number, 1));

        return $cell;
    }

    /**
     * A list's record; null for no list.
     *
     * @return ?ListRecord
     */
    public function listed(int $number): ?array
    {
        if ($number === self::NO_LIST) {
            return null;
        }

        /** @var ListRecord $list */
        $list = \unpack(
            'Vints/Vprobe/Pcount/Pbase/Pwords/Psize/PtextWords/PtextSlots/VtextProbe/VtextCount',
            $this->bytes,
            $this->at(self::LISTS, $number, 1),
        );
        self::limit('lists', 'longest probe', \max($list['probe'], $list['textProbe']), self::MAX_PROBE);

        return $list;
    }

    public function word(int $number): int
    {
        $at = $this->at(self::WORDS, $number, 1);

        return $this->file === null ? \unpack('P', $this->bytes, $at)[1] : \unpack('P', self::readBytes($this->file, $at, 8))[1];
    }

    /** Bit `$bit` of the words from `$first` on. */
    public function bit(int $first, int $bit): bool
    {
        $at = $this->at(self::WORDS, $first + ($bit >> 6), 1);

        $at += ($bit >> 3) & 7;
        $byte = $this->file === null ? $this->bytes[$at] : self::readBytes($this->file, $at, 1);

        return (\ord($byte) >> ($bit & 7) & 1) === 1;
    }

    /** String of the lists' keys at that offset. */
    public function listedText(int $offset): string
    {
        $at = $this->at(self::KEYS, $offset, 2);
        $length = \unpack('v', $this->file === null ? \substr($this->bytes, $at, 2) : self::readBytes($this->file, $at, 2))[1];
        $at = $this->at(self::KEYS, $offset + 2, $length);

        return $this->file === null ? \substr($this->bytes, $at, $length) : self::readBytes($this->file, $at, $length);
    }

    public function text(int $offset, int $length): string
    {
        return \substr($this->bytes, $this->at(self::STRINGS, $offset, $length), $length);
    }

    /** @return list<Test> */
    private function tests(int $first, int $count): array
    {
        $tests = [];
        $at = $this->at(self::TESTS, $first, $count);
        for ($i = 0; $i < $count; ++$i, $at += 32) {
            /** @var array{op: int, operand: int, reserved: int, attribute: int, match: int, mismatch: int, a: int, b: int} $test */
            $test = \unpack('Cop/Coperand/vreserved/Vattribute/Vmatch/Vmismatch/Pa/Pb', $this->bytes, $at);
            [$a, $b] = [$test['a'], $test['b']];
            $cell = 0;
            switch ($test['operand']) {
                case Conditions::FLOAT:
                    $a = \unpack('e', $this->bytes, $at + 16)[1];
                    break;
                case Conditions::TEXT:
                    $length = ($a >> 32) & 0xFFFF_FFFF;
                    self::limit('tests', "operand's length", $length, self::MAX_OPERAND);
                    $a = $this->text($a & 0xFFFF_FFFF, $length);
                    break;
                case Conditions::BOOL:
                    $a = $a !== 0;
                    break;
                case Conditions::SET:
                    [$cell, $a] = [$a & 0xFFFF_FFFF, ($a >> 32) & 0xFFFF_FFFF];
                    break;
            }
            $reads = $test['op'] !== Conditions::NEVER && $test['op'] !== Conditions::ALWAYS;
            $name = $reads && $test['attribute'] < Conditions::NOW ? $this->attribute($test['attribute']) : '';
            $tests[] = [$test['op'], $test['operand'], $test['attribute'], $name, $test['match'], $test['mismatch'], $a, $b, $cell];
        }

        return $tests;
    }

    /** Offset in the bytes of entries of a section. */
    private function at(int $section, int $first, int $count): int
    {
        $size = self::ENTRY[$section];
        // An entry's number has at most 48 bits here, so the products are ints.
        if ($first < 0 || $first > 0xFFFF_FFFF_FFFF || ($first + $count) * $size > $this->sizes[$section]) {
            $name = self::NAMES[$section];
            throw new LoadError("$name: found $first, expected $count entries from there to stay within: not written by a sound compiler");
        }

        return $this->offsets[$section] + $first * $size;
    }

    /** @param resource $file */
    private static function readBytes(mixed $file, int $at, int $length): string
    {
        $piece = $length === 0 ? '' : (\fseek($file, $at) === 0 ? (string) \fread($file, $length) : '');
        if (\strlen($piece) !== $length) {
            throw new LoadError("the snapshot has fewer than the bytes that it had, at $at; publish again", LoadError::UNREAD);
        }

        return $piece;
    }

    /**
     * Offsets, sizes and checksums of the sections.
     *
     * @return array{list<int>, list<int>, list<int>}
     */
    private static function table(string $header, int $size, int $minor): array
    {
        [$offsets, $sizes, $sums] = [[], [], []];
        $end = self::HEADER_SIZE;
        foreach (self::NAMES as $section => $name) {
            /** @var array{offset: int, size: int, sum: int} $record */
            $record = \unpack('Poffset/Psize/Psum', $header, 64 + 24 * $section);
            self::expect($name, 'offset', $record['offset'], ($end + 63) & ~63);
            if ($record['size'] < 0 || $record['size'] > $size - $record['offset']) {
                throw new LoadError("{$name}[0].size: found {$record['size']}, expected at most what the file has: not written by a sound compiler");
            }
            self::expect($name, 'size modulo entry', $record['size'] % self::ENTRY[$section], 0);
            $end = $record['offset'] + $record['size'];
            [$offsets[], $sizes[], $sums[]] = [$record['offset'], $record['size'], $record['sum']];
        }
        if ($minor > 0) {
            // The audit-trail record that intended the publish; only a check of the trail uses it.
            /** @var array{offset: int, size: int, sum: int} $record */
            $record = \unpack('Poffset/Psize/Psum', $header, 64 + 24 * \count(self::NAMES));
            self::expect('audit', 'offset', $record['offset'], ($end + 63) & ~63);
            self::expect('audit', 'size', $record['size'], self::AUDIT_SIZE);
            self::expect('audit', 'checksum', $record['sum'], 0);
            $end = $record['offset'] + $record['size'];
        }
        // A later minor version may have sections after these.
        if ($minor <= self::MINOR) {
            self::expect('header', 'file_size', $size, $end);
        }

        return [$offsets, $sizes, $sums];
    }

    private static function limit(string $section, string $field, int $found, int $most): void
    {
        if ($found > $most) {
            throw new LoadError("$section: $field: found $found, expected at most $most: not written by a sound compiler");
        }
    }

    private static function expect(string $section, string $field, int $found, int $expected): void
    {
        if ($found !== $expected) {
            throw new LoadError("{$section}[0].$field: found $found, expected $expected: not written by a sound compiler");
        }
    }

    private static function verify(string $section, string $hash, int $expected): void
    {
        $found = \unpack('J', $hash)[1];
        if ($found !== $expected) {
            throw new LoadError(\sprintf('%s: checksum %016x, expected %016x: bytes were damaged; publish again', $section, $found, $expected));
        }
    }
}
