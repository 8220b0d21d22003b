<?php

// What is compared. Each case is the store that it asks (none: null) and a loop of `$n` calls.

use Flagstone\Polyfill\Process;

/** The best that one would write by hand: an array that opcache keeps, and crc32(). */
final class ByHand
{
    private const FLAGS = [
        'customer_portal' => ['enabled' => true, 'percentage' => 50, 'allow' => [15 => true, 42 => true, 103 => true]],
        'billing_v2' => ['enabled' => true, 'percentage' => 100, 'allow' => []],
        'fast_search' => ['enabled' => false, 'percentage' => 0, 'allow' => []],
    ];

    public static function crc32(string $flag, int $company): bool
    {
        $rule = self::FLAGS[$flag] ?? null;

        return $rule !== null && $rule['enabled']
            && (isset($rule['allow'][$company]) || crc32((string) $company) % 100 < $rule['percentage']);
    }

    public static function xxh3(string $flag, int $company): bool
    {
        $rule = self::FLAGS[$flag] ?? null;

        return $rule !== null && $rule['enabled']
            && (isset($rule['allow'][$company]) || hexdec(substr(hash('xxh3', "$flag:$company"), 0, 8)) % 100 < $rule['percentage']);
    }

    public static function apcu(string $flag, int $company): bool
    {
        $rule = apcu_fetch($flag);

        return $rule !== false && $rule['enabled']
            && (isset($rule['allow'][$company]) || crc32((string) $company) % 100 < $rule['percentage']);
    }

    public static function store(): void
    {
        foreach (self::FLAGS as $flag => $rule) {
            apcu_store($flag, $rule);
        }
    }
}

$texts = array_map(fn (int $n) => "tenant-$n", range(0, 1023));
$anywhere = require __DIR__ . '/anywhere.php';
$context = ['plan' => 'enterprise', 'seats' => 25];

return [
    'the loop alone' => [null, function (int $n) { for ($i = 0; $i < $n; $i++) { } }],
    'an empty native function' => [null, function (int $n) { for ($i = 0; $i < $n; $i++) { flagstone_test_empty('customer_portal', $i); } }],
    'str_contains()' => [null, function (int $n) { for ($i = 0; $i < $n; $i++) { str_contains('customer_portal', 'portal'); } }],
    'feature_enabled(), 100 %' => ['small', function (int $n) { for ($i = 0; $i < $n; $i++) { feature_enabled('everybody', $i); } }],
    'feature_enabled(), 50 %' => ['small', function (int $n) { for ($i = 0; $i < $n; $i++) { feature_enabled('customer_portal', $i); } }],
    'feature_enabled(), 50 %, 10,000 flags' => ['large', function (int $n) { for ($i = 0; $i < $n; $i++) { feature_enabled('customer_portal', $i); } }],
    'feature_enabled(), 50 %, string companies' => ['small', function (int $n) use ($texts) { for ($i = 0; $i < $n; $i++) { feature_enabled('customer_portal', $texts[$i & 1023]); } }],
    'feature_enabled(), unknown flag' => ['small', function (int $n) { for ($i = 0; $i < $n; $i++) { feature_enabled('customer_portla', $i); } }],
    'feature_enabled(), allow list of 3' => ['small', function (int $n) { for ($i = 0; $i < $n; $i++) { feature_enabled('pilot_program', $i); } }],
    'feature_enabled(), a million overrides' => ['overrides', function (int $n) { for ($i = 0; $i < $n; $i++) { feature_enabled('listed', $i * 7919 % 10_000_000); } }],
    'feature_enabled(), a million, 64-bit ids' => ['sparse', function (int $n) { for ($i = 0; $i < $n; $i++) { feature_enabled('listed', $i * 7919 << 20); } }],
    'feature_enabled(), the same, a listed one' => ['sparse', function (int $n) use ($anywhere) { for ($i = 0; $i < $n; $i++) { feature_enabled('listed', $anywhere[$i]); } }],
    'feature_enabled(), a rule of two conditions' => ['small', function (int $n) use ($context) { for ($i = 0; $i < $n; $i++) { feature_enabled('enterprise_only', $i, $context); } }],
    'polyfill, 50 %' => ['small', function (int $n) { for ($i = 0; $i < $n; $i++) { Process::enabled('customer_portal', $i, []); } }],
    'by hand: array and crc32()' => [null, function (int $n) { for ($i = 0; $i < $n; $i++) { ByHand::crc32('customer_portal', $i); } }],
    'by hand: array and hash(\'xxh3\')' => [null, function (int $n) { for ($i = 0; $i < $n; $i++) { ByHand::xxh3('customer_portal', $i); } }],
    'by hand: APCu and crc32()' => [null, function (int $n) { for ($i = 0; $i < $n; $i++) { ByHand::apcu('customer_portal', $i); } }],
    'no flag at all: crc32() inline' => [null, function (int $n) { for ($i = 0; $i < $n; $i++) { crc32((string) $i) % 100 < 50; } }],
    'no flag at all: a constant array' => [null, function (int $n) { $flags = ['customer_portal' => true]; for ($i = 0; $i < $n; $i++) { $flags['customer_portal'] ?? false; } }],
];
