<?php

declare(strict_types=1);

/**
 * Random questions about one round's definitions.
 */
final class Questions
{
    private array $pools;
    private array $oddities;
    private array $companies;

    /** @param list<string> $flags */
    public function __construct(public readonly array $flags, array $companies, private readonly int $seed)
    {
        $numbers = Pools::numbers();
        $this->companies = $companies;
        $this->oddities = Pools::oddities();
        $this->pools = [
            'text' => Pools::TEXTS,
            'number' => $numbers,
            'version' => [...Pools::VERSIONS, ...Pools::NO_VERSIONS],
            'time' => [...Pools::TIMES, ...Pools::NO_TIMES, 0, -1, 1796112000, 0.5, -0.0000005, 1796112000.000001, 1796112000.0000008, 0.0000008, -0.0000002, 253402300799],
            'bool' => [true, false],
            'key' => [...$companies, ''],
        ];
    }

    public function block(int $block): void
    {
        mt_srand(crc32("$this->seed/$block"));
    }

    /** Flag, company, context. */
    public function next(): array
    {
        return [$this->flag(), $this->company(), $this->context()];
    }

    public function flag(): string
    {
        if (mt_rand(0, 99) < 3) {
            return Pools::pick(['', 'unknown', 'flag_', 'flag_00', "flag_0\0", '43', "\xff", 'op.', str_repeat('f', 192)]);
        }

        return Pools::pick($this->flags);
    }

    public function company(): int|string|null
    {
        $kind = mt_rand(0, 99);
        if ($kind < 60) {
            $company = Pools::pick($this->companies);

            return $kind < 10 ? (string) $company : $company;
        }

        return match (true) {
            $kind < 66 => null,
            $kind < 68 => '',
            $kind < 69 => str_repeat('k', mt_rand(1023, 1025)),
            $kind < 72 => Pools::pick(["\xff\xfe", "\0", "a\0", '00', '-', '+1', '0x1', '1_000', '-9223372036854775808', '-9223372036854775809', '9223372036854775807']),
            $kind < 85 => mt_rand(4900, 6000),
            $kind < 92 => (string) mt_rand(-100, 100),
            default => mt_rand(PHP_INT_MIN, PHP_INT_MAX),
        };
    }

    public function context(): array
    {
        $context = [];
        foreach (Definitions::ATTRIBUTES as $name => $family) {
            $kind = mt_rand(0, 99);
            if ($kind < 56) {
                $context[$name] = Pools::pick($this->pools[$family]);
            } elseif ($kind < 66) {
                $context[$name] = Pools::wrapped(Pools::pick($this->pools[$family]));
            } elseif ($kind < 72) {
                $context[$name] = Pools::pick($this->pools[Pools::pick(['text', 'number', 'time', 'bool'])]);
            } elseif ($kind < 79) {
                $context[$name] = Pools::pick($this->oddities);
            } elseif ($kind < 80) {
                $value = Pools::pick($this->pools[$family]);
                $value = Pools::chance(50) ? Pools::wrapped($value) : $value;
                $context[$name] = &$value;
                unset($value);
            }
        }
        if (mt_rand(0, 9) === 0) {
            $context += ['company' => 1, 'now' => 5, 'other' => 'x', 3 => 'three'];
        }

        return $context;
    }
}
