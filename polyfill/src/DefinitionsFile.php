<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

use Flagstone\Polyfill\File\Compiler;
use Flagstone\Polyfill\File\Document;

/**
 * A file of definitions that answers directly: no store, no publish, and so no kill and no stop. For development machines.
 *
 * The file, and an overlay that is merged into it, are read again when size, inode or time of change differ. An unusable one
 * is refused, and the last good content stays.
 *
 * @internal
 */
final class DefinitionsFile extends Origin
{
    /** Seconds in which a file may change again without a new time of change. */
    private const GRAIN = 2;
    /** Extra looks at a file that was just written, if nothing was good before, and microseconds between. */
    private const ATTEMPTS = 3;
    private const PAUSE = 20_000;

    private ?string $error = null;
    /** @var list<?array{int, int, int}> of the files at the last reading */
    private array $stamps = [];
    private bool $settled = false;
    private ?string $content = null;

    /**
     * @param string  $path    of the file
     * @param ?string $overlay path of a merge patch on the document, applied after the environment's; it need not exist
     */
    public function __construct(string $path, ?string $environment, private readonly ?string $overlay)
    {
        $this->directory = $path;
        $this->environment = $environment ?? '';
        $this->look();
        // An editor may have written half of the file.
        for ($attempt = 0; $attempt < self::ATTEMPTS && $this->snapshot === null && !$this->settled; ++$attempt) {
            if (\function_exists('usleep')) {
                \usleep(self::PAUSE);
            }
            $this->look();
        }
    }

    public function lastError(): ?string
    {
        return $this->error;
    }

    public function look(): bool
    {
        $stamps = [self::stamp($this->directory), $this->overlay === null ? null : self::stamp($this->overlay)];
        if ($this->settled && $stamps === $this->stamps) {
            return false;
        }
        $newest = \max($stamps[0][0] ?? 0, $stamps[1][0] ?? 0);
        $this->settled = $newest < \time() - self::GRAIN;
        $this->stamps = $stamps;
        $text = $this->text($this->directory);
        $patch = $this->overlay === null ? null : $this->text($this->overlay);
        $content = \hash('xxh128', \serialize([$text, $patch]));
        if ($content === $this->content) {
            return false;
        }
        $this->content = $content;
        $this->headGeneration = $this->generation + 1;
        try {
            $this->takeUp($text, $patch);
        } catch (Problem $problem) {
            ++$this->refused;
            $this->error = $problem->getMessage();
            $this->source = $this->snapshot === null ? 'none' : 'last_good';

            return false;
        }
        $this->publishedAt = $newest * 1_000_000;

        return true;
    }

    /** @throws Problem */
    private function takeUp(?string $text, ?string $patch): void
    {
        $name = Problem::printable($this->directory);
        if ($text === null) {
            $why = @\file_exists($this->directory)
                ? 'it may not be read; give this user the right to'
                : 'it is not there; write {"flags": {}} into it to begin with';
            throw new Problem("cannot read the definitions $name: $why");
        }
        $environment = $this->environment === '' ? null : $this->environment;
        $document = new Document($name, $text, $environment, Problem::printable((string) $this->overlay), $patch);
        $this->snapshot = Compiler::compile($document, $this->environment);
        ++$this->generation;
        ++$this->loads;
        $this->source = 'current';
        $this->error = null;
    }

    private function text(string $path): ?string
    {
        $text = @\is_file($path) ? @\file_get_contents($path) : false;

        return $text === false ? null : $text;
    }

    /**
     * Time of change, size, inode; null if the file does not exist.
     *
     * @return ?array{int, int, int}
     */
    private static function stamp(string $path): ?array
    {
        \clearstatcache(true, $path);
        $stat = @\stat($path);

        return $stat === false ? null : [$stat['mtime'], $stat['size'], $stat['ino']];
    }
}
