<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Flagstone;
use Illuminate\Support\Str;

/**
 * @phpstan-import-type Explanation from Driver
 */
final class ExplainCommand extends FlagCommand
{
    protected $signature = 'feature:explain
        {flag : The flag\'s key}
        {--company= : For this company}
        {--context=* : A further attribute, plan=pro; may be given again}
        {--short : Say it in one sentence}
        {--json : Print JSON}' . self::LITERAL;

    protected $description = 'Say how a flag is answered, and why';

    public function handle(Flagstone $flagstone, Changer $changer): int
    {
        $this->warnOfStore($changer);
        $driver = $flagstone->driver();
        $status = $driver->status();
        if ($status['source'] === 'none' && $status['last_error'] !== null) {
            return $this->finish(Result::unknown("Every flag is off: {$status['last_error']}"));
        }
        if (!\in_array($this->flag(), $driver->names(), true)) {
            return $this->finish(Result::unknown(
                UnknownFlag::named($this->flag(), $driver->names())->getMessage() . '; the answer is off',
            ));
        }
        $answer = $driver->explain($this->flag(), $this->text('company'), $this->attributes());
        if ($this->isJson()) {
            $this->json($answer);
        } else {
            $this->tell($answer, $driver);
        }

        return 0;
    }

    /** @param Explanation $answer */
    private function tell(array $answer, Driver $driver): void
    {
        $this->line($this->sentence($answer));
        if ((bool) $this->option('short')) {
            return;
        }
        foreach ($answer as $name => $value) {
            if ($value !== null && $value !== [] && !\in_array($name, ['flag', 'enabled'], true)) {
                $value = $name === 'unknown' ? \array_map(self::incomparable(...), $answer['unknown']) : $value;
                $this->line(\sprintf('  %-13s %s', $name, \is_array($value) ? \implode(', ', $value) : $value));
            }
        }
        $this->line("  driver        {$driver->name()}");
    }

    /** @param array{attribute: string, type: string, expected: string} $unknown */
    private static function incomparable(array $unknown): string
    {
        return "{$unknown['attribute']} (is {$unknown['type']}, expected {$unknown['expected']})";
    }

    /** @param Explanation $answer */
    private function sentence(array $answer): string
    {
        $company = $answer['company'] === null ? 'without a company' : "for company {$answer['company']}";
        $why = match ($answer['reason']) {
            'no_snapshot' => 'nothing is published',
            'killed' => 'it is killed',
            'emergency_stop' => 'everything is stopped',
            'disabled' => 'it is disabled',
            'prerequisite' => "it requires {$answer['prerequisite']}, which is off",
            'denied' => 'the company is denied',
            'allowed' => 'the company is allowed',
            'rule' => "rule {$answer['rule']} decides" . $this->percent($answer),
            'no_company' => 'no company is asking, and its percentage is of companies',
            'no_key' => 'the question lacks what its percentage is drawn by',
            'full' => 'it is on for everybody',
            'rollout_in', 'rollout_out' => \sprintf(
                'bucket %s of 100,000%s',
                \number_format((int) $answer['bucket']),
                $this->percent($answer),
            ),
            'override' => 'a test overrides it',
            default => $answer['reason'],
        };

        return \sprintf('%s is %s %s: %s', $answer['flag'], $answer['enabled'] ? 'ON' : 'OFF', $company, $why);
    }

    /** @param Explanation $answer */
    private function percent(array $answer): string
    {
        return $answer['percentage'] === null ? '' : ", at {$answer['percentage']} %";
    }

    /** @return array<string, bool|int|float|string> numbers and booleans by their type */
    private function attributes(): array
    {
        $context = [];
        foreach ($this->listed($this->option('context')) as $pair) {
            $name = Str::before($pair, '=');
            $value = Str::after($pair, '=');
            $value = \str_contains($pair, '=') ? $value : '';
            $read = \json_decode($value);
            $context[$name] = \is_bool($read) || \is_int($read) || \is_float($read) ? $read : $value;
        }

        return $context;
    }
}
