<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

use Flagstone\Polyfill\File\Compiler;
use Flagstone\Polyfill\File\Document;

/**
 * A file of definitions that answers directly: no store, no publish, and so no kill and no stop. For development machines.
 *
 * The file, and an overlay that is merged into it, are read again when size, inode or a time of change differ. An unusable one
 * is refused, and the last good content stays; so is an overlay that is there and cannot be read, since it may say "off".
 *
 * @internal
 */
final class DefinitionsFile extends FlagSource
{
    /** Seconds in which a file may change again without a new time of change. */
    private const GRAIN_SECONDS = 2;
    /** Extra looks at a file that was just written, if nothing was good before, and microseconds between. */
    private const MAX_RETRIES = 3;
    private const PAUSE_MICROSECONDS = 20_000;

    private ?string $error = null;
    /** @var list<?array{int, int, int, int}> of the files at the last reading */
    private array $stamps = [];
    private bool $settled = false;
    private ?string $content = null;

    /**
     * @param string  $path    of the file
     * @param ?string $overlay path of a merge patch on the document, applied after the environment's; it need not exist
     * @param bool    $maySkip the environment may be one that the document does not name
     */
    public function __construct(string $path, ?string $environment, private readonly ?string $overlay, private readonly bool $maySkip)
    {
        $this->directory = $path;
        $this->environment = $environment ?? '';
        $this->checkForUpdate();
        // An editor may have written half of the file.
        for ($attempt = 0; $attempt < self::MAX_RETRIES && $this->snapshot === null && !$this->settled; ++$attempt) {
            if (\function_exists('usleep')) {
                \usleep(self::PAUSE_MICROSECONDS);
            }
            $this->checkForUpdate();
        }
    }

    public function lastError(): ?string
    {
        return $this->error;
    }

    public function checkForUpdate(): bool
    {
        $stamps = [self::stamp($this->directory), $this->overlay === null ? null : self::stamp($this->overlay)];
        if ($this->settled && $stamps === $this->stamps) {
            return false;
        }
        $newest = \max($stamps[0][0] ?? 0, $stamps[1][0] ?? 0);
        $this->settled = \max($newest, $stamps[0][1] ?? 0, $stamps[1][1] ?? 0) < \time() - self::GRAIN_SECONDS;
        $this->stamps = $stamps;
        $text = self::text($this->directory);
        $patch = $this->overlay === null ? null : self::text($this->overlay);
        $content = \hash('xxh128', \serialize([$text, $patch]));
        if ($content === $this->content) {
            return false;
        }
        $this->content = $content;
        $this->headGeneration = $this->generation + 1;
        try {
            $this->load($text, $patch);
        } catch (LoadError $problem) {
            ++$this->refused;
            $this->error = $problem->getMessage();
            $this->source = $this->snapshot === null ? 'none' : 'last_good';

            return false;
        }
        $this->publishedAt = $newest * 1_000_000;

        return true;
    }

    /** @throws LoadError */
    private function load(string|false|null $text, string|false|null $patch): void
    {
        $name = LoadError::printable($this->directory);
        $overlay = LoadError::printable((string) $this->overlay);
        if ($text === null) {
            throw new LoadError("cannot read the definitions $name: it is not there; write {\"flags\": {}} into it to begin with");
        }
        if ($text === false) {
            throw new LoadError("cannot read the definitions $name: " . self::reasonUnread($this->directory));
        }
        if ($patch === false) {
            throw new LoadError("cannot read the overlay $overlay: " . self::reasonUnread((string) $this->overlay));
        }
        $environment = $this->environment === '' ? null : $this->environment;
        $document = new Document($name, $text, $environment, $overlay, $patch, $this->maySkip);
        $this->snapshot = Compiler::compile($document, $this->environment);
        ++$this->generation;
        ++$this->loads;
        $this->source = 'current';
        $this->error = null;
    }

    /** The file's content; null if nothing is there, false if it cannot be read. */
    private static function text(string $path): string|false|null
    {
        if (!@\file_exists($path) && !@\is_link($path)) {
            return null;
        }

        return @\is_file($path) ? @\file_get_contents($path) : false;
    }

    private static function reasonUnread(string $path): string
    {
        return match (true) {
            @\is_file($path) => 'it may not be read; give this user the right to',
            @\file_exists($path) => 'it is no file; put a file in its place, or remove it',
            default => 'it is a link to what is not there; write that file, or remove the link',
        };
    }

    /**
     * Times of change of content and of metadata, size, inode; null if the file does not exist. The first alone can be set back.
     *
     * @return ?array{int, int, int, int}
     */
    private static function stamp(string $path): ?array
    {
        \clearstatcache(true, $path);
        $stat = @\stat($path);

        return $stat === false ? null : [$stat['mtime'], $stat['ctime'], $stat['size'], $stat['ino']];
    }
}
