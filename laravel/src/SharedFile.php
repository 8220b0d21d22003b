<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

/**
 * A JSON file of the package's own, which PHP workers share. Not the application's cache: where that is in the database, a note would be a
 * statement in the application's own transaction, and it may be `array` or unavailable.
 *
 * @internal
 */
final class SharedFile
{
    public function __construct(public readonly string $path)
    {
    }

    /** @return array<array-key, mixed> empty if there is no such file */
    public function read(): array
    {
        return Value::items(\json_decode(OwnFile::text($this->path), true));
    }

    /**
     * Locks the file, as each writer does, without waiting for another process.
     *
     * @return resource|false|null the lock, held until it is closed; null: another process holds it; false: it cannot be opened
     */
    public function lock(): mixed
    {
        $lock = LockFile::open("$this->path.lock");

        return $lock === false || \flock($lock, \LOCK_EX | \LOCK_NB) ? $lock : null;
    }

    /**
     * @param array<array-key, mixed> $data
     * @return bool false if it cannot be written
     */
    public function write(array $data): bool
    {
        $flags = \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_INVALID_UTF8_SUBSTITUTE;

        return Replacement::write($this->path, (string) \json_encode($data, $flags), 0o600);
    }
}
