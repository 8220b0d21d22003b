<?php

declare(strict_types=1);

enum Plan: string
{
    case Pro = 'pro';
    case Enterprise = 'enterprise';
    case Forty = '42';
}

enum Level: int
{
    case None = 0;
    case Seven = 7;
    case FortyTwo = 42;
}

enum Suit
{
    case Hearts;
}

final class Text
{
    public function __construct(private readonly string $text)
    {
    }

    public function __toString(): string
    {
        return $this->text;
    }
}

/** As a model or a collection: a text that is its JSON. */
class Model
{
    public function __toString(): string
    {
        return 'pro';
    }

    public function toArray(): array
    {
        return ['pro'];
    }
}

class Hidden
{
    private function toArray(): array
    {
        return [];
    }
}

/** A private method of its parent counts, too. */
final class Shown extends Hidden
{
    public function __toString(): string
    {
        return 'pro';
    }
}

final class Throwing
{
    public function __toString(): string
    {
        throw new LogicException('no text');
    }
}

/**
 * Values that definitions and questions draw from alike, so that they meet often.
 */
final class Pools
{
    public const OPERATORS = ['in', 'not_in', 'eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'starts_with', 'ends_with', 'contains',
        'exists', 'before', 'after', 'semver_eq', 'semver_lt', 'semver_lte', 'semver_gt', 'semver_gte'];

    public const TEXTS = ['pro', 'enterprise', 'ent', 'prise', '', 'p', 'Pro', "zwölf", 'zw', "a\0b", 'DE', 'AT', '42', '042', '1', 'true', 'null',
        '-0', '9223372036854775807', '9223372036854775808', "\u{10FFFF}", 'aa', 'aaa', 'ab'];

    public const VERSIONS = ['0.0.0', '1.0.0-0', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1',
        '1.0.0', '1.0.0+build.5', '1.2.3', '1.10.0', '2.0.0', '18446744073709551616.0.0', '1.0.0--', '1.2.3-a-b.0+x.001', '10.0.0'];

    public const NO_VERSIONS = ['v1.2.3', '1.2', '01.2.3', '1.2.3-01', '1.2.3+', '', '1.2.3.4', '1.2.3+a+b', " 1.2.3", "1.2.3\n"];

    public const TIMES = ['1970-01-01T00:00:00Z', '1969-12-31T23:59:59.999999999Z', '2000-02-29T12:00:00+02:00', '2026-12-01T08:00:00Z',
        '2026-12-01T08:00:00.000001Z', '2026-12-01t09:30:00+01:30', '9999-12-31T23:59:59Z', '0000-01-01T00:00:00Z', '1900-03-01T00:00:00-23:59'];

    public const NO_TIMES = ['2026-12-01', '2026-12-01T08:00:00', '2026-02-29T08:00:00Z', '2026-12-01T24:00:00Z', '2026-12-01 08:00:00Z',
        "2026-12-01T08:00:00Z\n", '2026-12-01T08:00:00.1234567890Z', '2026-12-01T23:59:60Z'];

    public static function numbers(): array
    {
        return [0, 1, -1, 2, 7, 42, 2 ** 53, 2 ** 53 + 1, -(2 ** 53) - 1, PHP_INT_MAX, PHP_INT_MIN, PHP_INT_MAX - 1, 1796112000,
            0.5, 1.0, -1.0, 1.5, 7.0, 0.1, -0.5, 9007199254740992.0, 9007199254740994.0, 9.2233720368547758e18, -9.2233720368547758e18, 1e300, -1e300, 5e-324];
    }

    /** What only a question can hold. */
    public static function oddities(): array
    {
        return [NAN, INF, -INF, -0.0, null, [], ['pro'], new stdClass(), new ArrayObject(['pro']), true, false, "\xff\xfe", str_repeat('k', 1025),
            1796112000.0, 1796112000.0000005, 9223372036854.7, -9223372036855, 9223372036855,
            1764500000000, 253402300799, 253402300800, 253402300799.99997, -62167219200, -62167219200.5,
            '25.00', '7.0', '1e3', Plan::Pro, Plan::Forty, Level::Seven, Suit::Hearts, new Text('pro'), new Text('1.2.3'), new Text("\xff"), new Model(), new Shown(),
            new Throwing(), new DateTimeImmutable('2026-12-01T08:00:00Z'), new DateTime('1969-12-31T23:59:59.25+02:00'), new DateTimeImmutable('@-62167219201'),
            new DateTimeImmutable('9999-12-31T23:59:59.999999Z'), new DateTimeImmutable('@253402300800'), new DateInterval('P1D'), fopen('php://memory', 'r')];
    }

    /** An object that stands for the value, where there is one. */
    public static function wrapped(mixed $value): mixed
    {
        if (is_int($value)) {
            return Level::tryFrom($value) ?? $value;
        }
        if (!is_string($value)) {
            return $value;
        }
        $time = preg_match('/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/D', $value) === 1;

        return match (true) {
            $time && self::chance(50) => new DateTimeImmutable($value),
            self::chance(50) => Plan::tryFrom($value) ?? new Text($value),
            default => new Text($value),
        };
    }

    public static function pick(array $from): mixed
    {
        return $from[mt_rand(0, count($from) - 1)];
    }

    public static function chance(int $percent): bool
    {
        return mt_rand(1, 100) <= $percent;
    }

    /** Ids of companies: the pool of one round. */
    public static function companies(): array
    {
        $ids = [0, 1, -1, PHP_INT_MAX, PHP_INT_MIN, '042', '-0', '9223372036854775808', "zwölf", "a\0b", str_repeat('k', 1024), 'acme-eu', ' 7', '7 ', '1e3', '1.0', 'é'];
        $base = mt_rand(-500, 1_000_000);
        for ($i = 0; $i < 120; ++$i) {
            $ids[] = $base + $i;
        }
        for ($i = 0; $i < 60; ++$i) {
            $ids[] = mt_rand(PHP_INT_MIN, PHP_INT_MAX);
            $ids[] = mt_rand(0, 1 << 40);
            $ids[] = 'c-' . mt_rand(0, 9999);
            $ids[] = bin2hex(pack('P', mt_rand(0, PHP_INT_MAX)));
        }

        return array_values(array_unique($ids));
    }
}
