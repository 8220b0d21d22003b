<?php

declare(strict_types=1);

namespace Bench;

use Illuminate\Support\Facades\Cache;
use Illuminate\Support\Facades\DB;

/**
 * Two tables, feature_flags and feature_flag_overrides, read through the cache or, where that is empty, directly.
 */
final class FeatureFlagService
{
    /** @param string $cache a cache store's name; empty: none */
    public function isEnabled(string $feature, int $company, string $connection, string $cache): bool
    {
        $flag = $this->read($cache, "feature_flag:$feature", fn (): ?array => $this->row(
            DB::connection($connection)->table('feature_flags')->where('name', $feature)->first(),
        ));
        if ($flag === null || !$flag['enabled']) {
            return false;
        }
        $override = $this->read($cache, "feature_flag:$feature:$company", fn (): ?array => $this->row(
            DB::connection($connection)->table('feature_flag_overrides')
                ->where('feature', $feature)->where('company_id', $company)->first(),
        ) ?? []);

        return (bool) ($override['enabled'] ?? crc32((string) $company) % 100 < $flag['percentage']);
    }

    private function read(string $cache, string $key, \Closure $read): ?array
    {
        return $cache === '' ? $read() : Cache::store($cache)->remember($key, 300, $read);
    }

    private function row(?object $row): ?array
    {
        return $row === null ? null : (array) $row;
    }
}
