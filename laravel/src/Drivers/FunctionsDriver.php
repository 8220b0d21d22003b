<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Drivers;

use Flagstone\Laravel\Contracts\Driver;

/**
 * Answers by the global functions: the extension's ("native"), or the polyfill's ("store").
 */
final class FunctionsDriver implements Driver
{
    /**
     * @param string $name native or store
     * @param ?string $store the store's directory, which Drivers::nameStore() has named; null if php.ini names it
     */
    public function __construct(private readonly string $name, private readonly ?string $store)
    {
    }

    public function name(): string
    {
        return $this->name;
    }

    public function enabled(string $flag, int|string|null $company = null, array $context = []): bool
    {
        return \feature_enabled($flag, $company, $context);
    }

    public function peek(string $flag, int|string|null $company = null, array $context = []): bool
    {
        return \feature_peek($flag, $company, $context);
    }

    public function possible(string $flag): bool
    {
        return \feature_possible($flag);
    }

    public function variant(string $flag, int|string|null $company = null, array $context = []): ?string
    {
        return \feature_variant($flag, $company, $context);
    }

    public function value(
        string $flag,
        int|string|null $company = null,
        array $context = [],
        mixed $default = null,
    ): mixed {
        return \feature_value($flag, $company, $context, $default);
    }

    public function explain(string $flag, int|string|null $company = null, array $context = []): array
    {
        return \feature_explain($flag, $company, $context);
    }

    /** @return array<array-key, bool> */
    public function all(int|string|null $company = null, array $context = []): array
    {
        return \feature_all($company, $context);
    }

    public function filter(string $flag, array $companies, array $context = []): array
    {
        return \feature_filter($flag, $companies, $context);
    }

    public function needs(string $flag): array
    {
        return \feature_needs($flag);
    }

    public function names(): array
    {
        return \array_map(strval(...), \array_keys(\feature_all()));
    }

    public function status(): array
    {
        return \flagstone_status();
    }

    /** Names the store again: some servers forget it between two requests of one process. */
    public function refresh(): bool
    {
        if ($this->store !== null) {
            \flagstone_use($this->store);
        }

        return \flagstone_refresh();
    }
}
