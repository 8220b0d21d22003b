<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\File;

/**
 * Reads plans, only to report mistakes: answers from a file ignore stages.
 *
 * @internal
 */
final class Plans
{
    private const STAGES = 100;
    private const STAGE = 'a stage, an object with "companies" or "percentage"';
    private const SOAK = 'a length of time such as "12h" or "7d": a number and s, m, h, d or w';

    /** @param \Closure(mixed, list<int|string>): array<int|string, true> $companies reads a list of companies */
    public function __construct(private readonly FieldReader $read, private readonly \Closure $companies)
    {
    }

    /** @param list<int|string> $path */
    public function plan(mixed $value, array $path): void
    {
        $fields = $this->read->fields($value, $path, ['stages'], 'a plan, an object with "stages"');
        if ($fields === null) {
            return;
        }
        $path[] = 'stages';
        if (!\array_key_exists('stages', $fields)) {
            $this->read->missing(\array_slice($path, 0, -1), 'stages', 'a list of stages');

            return;
        }
        $stages = $this->read->items($fields['stages'], $path, 'a list of stages');
        if ($stages === null) {
            return;
        }
        if ($stages === [] || \count($stages) > self::STAGES) {
            $this->read->findings->error($path, 'found ' . \count($stages) . ' stages, expected 1 to ' . self::STAGES);
        }
        $reached = null;
        foreach ($stages as $number => $stage) {
            $percentage = $this->stage($stage, [...$path, $number]);
            if ($percentage !== null && $reached !== null && $percentage <= $reached) {
                $message = 'found ' . $percentage / 1000 . ' after ' . $reached / 1000 . ': a stage has to raise the percentage';
                $this->read->findings->error([...$path, $number, 'percentage'], $message);
            }
            $reached = $percentage === null ? $reached : \max($percentage, $reached ?? 0);
        }
    }

    /**
     * The stage's percentage in thousandths; null if it has none.
     *
     * @param list<int|string> $path
     */
    private function stage(mixed $value, array $path): ?int
    {
        $fields = $this->read->fields($value, $path, ['companies', 'percentage', 'soak'], self::STAGE);
        if ($fields === null) {
            return null;
        }
        if (!\array_key_exists('companies', $fields) && !\array_key_exists('percentage', $fields)) {
            $this->read->findings->error($path, 'found neither, expected ' . self::STAGE);
        }
        $percentage = null;
        foreach ($fields as $name => $field) {
            $at = [...$path, $name];
            if ($name === 'companies') {
                ($this->companies)($field, $at);
                if ($field === []) {
                    $this->read->mismatch($field, $at, 'companies to let in, one or more');
                }
            } elseif ($name === 'percentage') {
                $percentage = $this->read->percentage($field, $at);
            } else {
                $soak = $this->read->string($field, $at, self::SOAK);
                if ($soak !== null && !Spelling::isSpan($soak)) {
                    $this->read->mismatch($soak, $at, self::SOAK);
                }
            }
        }

        return $percentage;
    }
}
