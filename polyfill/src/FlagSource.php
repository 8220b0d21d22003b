<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Source of answers: a store, or a file of definitions. The last good content stays.
 *
 * @internal
 */
abstract class FlagSource
{
    /** Path of the store's directory, or of the file. */
    public string $directory;
    public string $environment;
    public ?Compiled $snapshot = null;
    /** Never goes back. For a file: the number of times that this process took up its content. */
    public int $generation = 0;
    /** Microseconds since 1970; 0 if unknown. */
    public int $publishedAt = 0;
    public string $source = 'none';
    /** @var list<string> */
    public array $killed = [];
    /** True if the kills cannot be read: every flag is taken for killed. */
    public bool $killsUnknown = false;
    public bool $stopped = false;
    public ?string $warning = null;
    public int $loads = 0;
    public int $refused = 0;
    public int $replaced = 0;

    /** Generation of the head at the last look. */
    public int $headGeneration = 0;

    /** Looks for changes; true if the answers may have changed. */
    abstract public function checkForUpdate(): bool;

    /** Reason why something newer is not served; null if nothing is wrong. */
    abstract public function lastError(): ?string;
}
