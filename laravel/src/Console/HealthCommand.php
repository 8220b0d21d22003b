<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Integrations\HealthReport;
use Flagstone\Laravel\Value;

/**
 * Exit code 0: the newest definitions answer; 1: older ones do, or `flagstone health` says degraded; 2: none do, and every flag is
 * off. A kill or a stop is no problem.
 */
final class HealthCommand extends FlagCommand
{
    protected $signature = 'feature:health
        {--json : Print JSON}';

    protected $description = 'Say whether flags are answered from the newest definitions, by the exit code too';

    public function handle(Flagstone $flagstone, HealthReport $report): int
    {
        $driver = $flagstone->driver();
        $driver->refresh();
        $status = $driver->status();
        $source = $status['source'];
        $found = $report->of($driver, $status);
        $problems = Value::texts($found['flagstone'], 'problems');
        $isCurrent = $source === 'current' && $status['last_error'] === null;
        $code = match (true) {
            $source === 'none' => Result::UNKNOWN,
            $isCurrent && $problems === [] => Result::DONE,
            default => Result::REFUSED,
        };
        if ($this->isJson()) {
            $this->json($found);

            return $code;
        }
        $this->line(match (true) {
            $isCurrent => \sprintf(
                ($problems === [] ? 'Healthy' : 'Degraded') . ': generation %d of %s, %d flags, driver %s',
                $status['generation'],
                $status['environment'],
                $status['flags'],
                $driver->name(),
            ),
            $code === Result::REFUSED => \sprintf(
                'Degraded: generation %d answers (%s), %d is published',
                $status['generation'],
                $source,
                $status['head_generation'],
            ),
            default => 'Every flag is off: there are no definitions to answer from.'
                . ' `php artisan feature:doctor` tells more',
        });
        foreach ([$status['last_error'], $status['warning'], ...$problems] as $trouble) {
            if ($trouble !== null) {
                $this->line('  ' . \str_replace("\n", "\n  ", $trouble));
            }
        }
        foreach (['database', 'cache'] as $part) {
            if ($found[$part] === HealthReport::FAILING) {
                $this->line("  the $part does not answer, so that the health route says \"failing\"");
            }
        }
        if ($status['killed'] !== []) {
            $this->line('  killed: ' . \implode(', ', $status['killed']));
        }
        if ($status['stopped']) {
            $this->line('  everything is stopped, until feature:resume-all');
        }

        return $code;
    }
}
