<?php

declare(strict_types=1);

/**
 * Random definitions that use everything which definitions can say.
 */
final class Definitions
{
    /** Attributes by what they usually hold. */
    public const ATTRIBUTES = ['plan' => 'text', 'country' => 'text', 'n' => 'number', 'seats' => 'number', 'ver' => 'version', 'when' => 'time', 'beta' => 'bool', 'user' => 'key'];

    private array $segments = [];

    private function __construct(private readonly array $companies)
    {
    }

    /** The document, and the keys of its flags. */
    public static function random(array $companies): array
    {
        $self = new self($companies);
        for ($i = 0; $i < 4; ++$i) {
            $self->segments["s$i"] = $self->condition(3);
        }
        $flags = [];
        foreach (Pools::OPERATORS as $operator) {
            $flags["op.$operator"] = ['enabled' => true, 'rollout' => $self->rollout(), 'rules' => [$self->rule("op:$operator", $self->test($operator))]];
        }
        $keys = [];
        foreach (['42', '007', 'A', 'a', 'App\\Features\\Portal', 'x:y', str_repeat('f', 191), ...array_map(fn ($i) => "flag_$i", range(0, 25))] as $key) {
            $flags[$key] = $self->flag($keys);
            $keys[] = (string) $key;
        }
        foreach ($flags as $key => $flag) {
            if (isset($flag['was'])) {
                $keys[] = $flag['was'];
            }
        }
        $flags = (object) $flags;

        return [['flags' => $flags, 'segments' => (object) $self->segments], [...array_map(fn ($operator) => "op.$operator", Pools::OPERATORS), ...$keys]];
    }

    private function flag(array $before): array
    {
        $flag = ['enabled' => !Pools::chance(6), 'rollout' => $this->rollout()];
        if (Pools::chance(45)) {
            [$allow, $deny] = $this->lists();
            $flag['companies'] = array_filter(['allow' => $allow, 'deny' => $deny]);
        }
        if ($before !== [] && Pools::chance(25)) {
            $flag['requires'] = array_values(array_unique([Pools::pick($before), Pools::pick($before)]));
        }
        if (Pools::chance(50)) {
            for ($i = mt_rand(1, 4); $i > 0; --$i) {
                $flag['rules'][] = $this->rule(Pools::chance(70) ? "rule $i" : null, $this->condition(4));
            }
        }
        if (Pools::chance(25)) {
            foreach (Pools::chance(50) ? [2000, 2020, 2100] : [2001, 2090] as $year) {
                $flag['schedule'][] = ['at' => "$year-03-01T0" . mt_rand(0, 9) . ':00:00' . Pools::pick(['Z', '+02:00', '.5-08:00']), 'percentage' => $this->percentage()];
            }
        }
        if (Pools::chance(40)) {
            $flag['variants'] = $this->variants();
        }
        if (Pools::chance(30)) {
            $flag['emergency'] = 'keep';
        }
        if (Pools::chance(15)) {
            $flag['was'] = 'was.' . \count($before);
        }
        if (Pools::chance(20)) {
            $flag['guard'] = Pools::pick([false, true, ['error_rate' => 0.05, 'p95_ms' => 2000, 'relative' => ['errors' => 2, 'p95' => 1.5], 'min_requests' => 200, 'min_companies' => 3, 'window' => '5m', 'cooldown' => '1h', 'watch' => '8d', 'action' => 'hold']]);
            $flag['managed'] = Pools::pick(['git', 'operations']);
            $flag['plan'] = ['stages' => [['companies' => [1, 'x'], 'soak' => '7d'], ['percentage' => mt_rand(0, 50)], ['percentage' => 100, 'soak' => '90m']]];
        }

        return array_filter($flag, static fn ($part) => $part !== []);
    }

    private function rollout(): array
    {
        $rollout = ['percentage' => $this->percentage()];
        $by = Pools::pick(['company', 'company', 'company', 'user', 'plan', 'n']);
        if ($by !== 'company') {
            $rollout['by'] = $by;
        }
        if (Pools::chance(20)) {
            $rollout['salt'] = Pools::pick(['salt', 'other', "zwölf"]);
        }
        if (Pools::chance(25)) {
            $rollout['bucketing'] = 'crc32';
        }

        return $rollout;
    }

    private function percentage(): int|float
    {
        return match (mt_rand(0, 5)) {
            0 => 0,
            1 => 100,
            2 => mt_rand(1, 99),
            default => mt_rand(0, 100_000) / 1000,
        };
    }

    /** Allow and deny, with nobody in both. */
    private function lists(): array
    {
        $ids = $this->companies;
        if (Pools::chance(20)) {
            $ids = array_merge($ids, range(5000, 5000 + mt_rand(10, 800)));
        }
        [$allow, $deny] = [[], []];
        $share = mt_rand(1, 40);
        // 7 and "7" are one company.
        foreach (array_unique($ids, SORT_STRING) as $id) {
            if (Pools::chance($share)) {
                $id = is_int($id) && Pools::chance(20) ? (string) $id : $id;
                Pools::chance(50) ? $allow[] = $id : $deny[] = $id;
            }
        }

        return [$allow, $deny];
    }

    private function rule(?string $name, array $when): array
    {
        $rule = ['when' => $when];
        if ($name !== null) {
            $rule['name'] = $name;
        }
        if (Pools::chance(60)) {
            $rule['percentage'] = $this->percentage();
        }

        return $rule;
    }

    private function condition(int $depth): array
    {
        $kind = $depth === 0 ? 9 : mt_rand(0, 9);
        $parts = fn () => array_map(fn () => $this->condition($depth - 1), range(1, mt_rand(1, 3)));

        return match (true) {
            $kind < 2 => ['all' => $parts()],
            $kind < 4 => ['any' => $parts()],
            $kind === 4 => ['not' => $this->condition($depth - 1)],
            $kind === 5 && $this->segments !== [] => ['segment' => Pools::pick(array_keys($this->segments))],
            default => $this->test(Pools::pick(Pools::OPERATORS)),
        };
    }

    private function test(string $operator): array
    {
        [$families, $operand] = match ($operator) {
            'in', 'not_in' => [['text', 'number', 'bool', 'key'], fn () => $this->scalars()],
            'eq', 'ne' => [['text', 'number', 'bool'], null],
            'lt', 'lte', 'gt', 'gte' => [['text', 'number'], null],
            'starts_with', 'ends_with', 'contains' => [['text'], fn () => Pools::pick(Pools::TEXTS)],
            'exists' => [['text', 'number', 'bool', 'time'], fn () => Pools::chance(50)],
            'before', 'after' => [['time'], fn () => Pools::pick(Pools::TIMES)],
            default => [['version'], fn () => Pools::pick(Pools::VERSIONS)],
        };
        $family = Pools::pick($families);
        $attribute = Pools::pick(array_keys(self::ATTRIBUTES, $family, true));
        if (($operator === 'before' || $operator === 'after') && Pools::chance(20)) {
            $attribute = 'now';
            $operand = fn () => Pools::pick(['2000-01-01T00:00:00Z', '2200-01-01T00:00:00Z']);
        } elseif (Pools::chance(8) && $operator !== 'before' && $operator !== 'after') {
            $attribute = 'company';
        }
        $operand ??= fn () => match ($family) {
            'number' => Pools::pick(Pools::numbers()),
            'bool' => Pools::chance(50),
            default => Pools::pick(Pools::TEXTS),
        };

        return ['attribute' => $attribute, $operator => $operand()];
    }

    private function scalars(): array
    {
        $scalars = [];
        $kinds = Pools::pick([[0, 0], [1, 3], [4, 6], [0, 6]]);
        for ($i = mt_rand(0, 12); $i > 0; --$i) {
            $scalars[] = match (mt_rand(...$kinds)) {
                0 => Pools::chance(50),
                1, 2, 3 => Pools::pick(Pools::numbers()),
                default => Pools::pick(Pools::TEXTS),
            };
        }

        return $scalars;
    }

    private function variants(): array
    {
        $count = mt_rand(1, 4);
        $left = 100_000;
        $variants = [];
        for ($i = 1; $i <= $count; ++$i) {
            $weight = $i === $count ? $left : mt_rand(0, $left);
            $left -= $weight;
            $variants["variant-$i"] = ['weight' => $weight / 1000] + (Pools::chance(75) ? ['value' => $this->value(4)] : []);
        }

        return $variants;
    }

    private function value(int $depth): mixed
    {
        $kind = mt_rand(0, $depth === 0 ? 3 : 6);
        if ($kind < 4) {
            return match ($kind) {
                0 => Pools::pick([null, true, false]),
                1 => Pools::pick(Pools::numbers()),
                default => Pools::pick(Pools::TEXTS),
            };
        }
        $items = [];
        for ($i = mt_rand(0, 4); $i > 0; --$i) {
            $items[Pools::pick(['a', 'b', '', '42', '042', '-7', "zwölf", 'k'])] = $this->value($depth - 1);
        }

        return $kind === 4 ? array_values($items) : (object) $items;
    }
}
