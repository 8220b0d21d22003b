<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * Where answers come from: a store, or a file of definitions. What was good last stays.
 *
 * @internal
 */
abstract class Origin
{
    /** Path of the store's directory, or of the file. */
    public string $directory;
    public string $environment;
    public ?Compiled $snapshot = null;
    /** Never goes back. Of a file: how often its content was taken up by this process. */
    public int $generation = 0;
    /** Microseconds since 1970; 0 where it is not known. */
    public int $publishedAt = 0;
    public string $source = 'none';
    /** @var list<string> */
    public array $killed = [];
    /** Nobody knows what is killed: everything is taken for it. */
    public bool $killsUnknown = false;
    public bool $stopped = false;
    public ?string $warning = null;
    public int $loads = 0;
    public int $refused = 0;
    public int $replaced = 0;

    /** What there was to be taken up when it was looked at last. */
    public int $headGeneration = 0;

    /** Looks whether anything changed; true if the answers may have. */
    abstract public function look(): bool;

    /** Why something newer is not served; null if nothing is wrong. */
    abstract public function lastError(): ?string;
}
