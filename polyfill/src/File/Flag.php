<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * One flag as written in the document.
 *
 * @internal
 */
final class Flag
{
    public bool $enabled = true;
    /** True if the flag goes on while everything is stopped. */
    public bool $keeps = false;
    /** Thousandths; null without a rollout. */
    public ?int $percentage = null;
    public string $by = 'company';
    public ?string $salt = null;
    public bool $crc32 = false;
    /** @var array<int|string, true> by company */
    public array $allow = [];
    /** @var array<int|string, true> by company */
    public array $deny = [];
    /** @var list<string> */
    public array $requires = [];
    /** @var list<array{?string, \stdClass, int}> name, condition, thousandths */
    public array $rules = [];
    /** @var array<int, int> thousandths by microseconds since 1970, ascending */
    public array $steps = [];
    public bool $planned = false;
    /** Former key, under which the flag answers as well. */
    public ?string $was = null;
    /** @var array<int|string, array{int, bool, mixed}> thousandths, true if there is a value, the value; by name, sorted */
    public array $variants = [];
}
