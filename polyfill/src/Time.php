<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/**
 * RFC 3339 text and Unix seconds as microseconds since 1970.
 *
 * @internal
 */
final class Time
{
    /** The first second of year 0 and the last of year 9999: the range of RFC 3339. */
    public const FIRST_SECOND = -62_167_219_200;
    public const LAST_SECOND = 253_402_300_799;

    /** Null if the text is not a time with an offset. Digits below a microsecond are dropped. */
    public static function parse(string $text): ?int
    {
        // No regular expression: pcre.backtrack_limit may let none match.
        $shape = \strtr($text, 'tz123456789', 'TZ000000000');
        $digits = ($shape[19] ?? '') === '.' ? \strspn($shape, '0', 20) : null;
        $zone = \substr($text, 19 + ($digits === null ? 0 : 1 + $digits));
        if (!\str_starts_with($shape, '0000-00-00T00:00:00') || $digits === 0 || $digits > 9
            || !\in_array(\strtr($zone, 'z123456789-', 'Z000000000+'), ['Z', '+00:00'], true)) {
            return null;
        }
        [$year, $month, $day] = [(int) \substr($text, 0, 4), (int) \substr($text, 5, 2), (int) \substr($text, 8, 2)];
        [$hour, $minute, $second] = [(int) \substr($text, 11, 2), (int) \substr($text, 14, 2), (int) \substr($text, 17, 2)];
        if ($month < 1 || $month > 12 || $day < 1 || $day > self::daysIn($year, $month)) {
            return null;
        }
        if ($hour > 23 || $minute > 59 || $second > 59) {
            return null;
        }
        $offset = 0;
        if (\strlen($zone) === 6) {
            [$hours, $minutes] = [(int) \substr($zone, 1, 2), (int) \substr($zone, 4)];
            if ($hours > 23 || $minutes > 59) {
                return null;
            }
            $offset = ($hours * 3600 + $minutes * 60) * ($zone[0] === '-' ? -1 : 1);
        }
        $micros = (int) \substr(\str_pad(\substr($text, 20, $digits ?? 0), 6, '0'), 0, 6);
        $seconds = self::days($year, $month, $day) * 86_400 + $hour * 3600 + $minute * 60 + $second - $offset;

        return $seconds * 1_000_000 + $micros;
    }

    /** Converts Unix seconds; null for NaN, and outside of the years 0000 to 9999. */
    public static function ofSeconds(int|float $seconds): ?int
    {
        $micros = \is_int($seconds) ? $seconds * 1_000_000 : \floor($seconds * 1e6);

        return $micros >= self::FIRST_SECOND * 1_000_000 && $micros < (self::LAST_SECOND + 1) * 1_000_000 ? (int) $micros : null;
    }

    private static function daysIn(int $year, int $month): int
    {
        if ($month === 2) {
            return $year % 4 === 0 && ($year % 100 !== 0 || $year % 400 === 0) ? 29 : 28;
        }

        return \in_array($month, [4, 6, 9, 11], true) ? 30 : 31;
    }

    /** Days since 1970 in the proleptic Gregorian calendar, the year counted from March. */
    private static function days(int $year, int $month, int $day): int
    {
        $year -= $month <= 2 ? 1 : 0;
        $era = (int) \floor($year / 400);
        $yearOfEra = $year - $era * 400;
        $dayOfYear = \intdiv(153 * (($month + 9) % 12) + 2, 5) + $day - 1;
        $dayOfEra = $yearOfEra * 365 + \intdiv($yearOfEra, 4) - \intdiv($yearOfEra, 100) + $dayOfYear;

        return $era * 146_097 + $dayOfEra - 719_468;
    }
}
