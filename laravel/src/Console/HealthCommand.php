<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Integrations\HealthReport;

/**
 * Exit code 0: the newest definitions answer; 1: older ones do; 2: none do, and every flag is off. A kill or a stop is
 * no trouble.
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
        $code = match (true) {
            $source === 'none' => Result::UNKNOWN,
            $source === 'current' && $status['last_error'] === null => Result::DONE,
            default => Result::REFUSED,
        };
        if ($this->isJson()) {
            $this->json($report->of($driver, $status));

            return $code;
        }
        $this->line(match ($code) {
            Result::DONE => \sprintf(
                'Healthy: generation %d of %s, %d flags, driver %s',
                $status['generation'],
                $status['environment'],
                $status['flags'],
                $driver->name(),
            ),
            Result::REFUSED => \sprintf(
                'Degraded: generation %d answers (%s), %d is published',
                $status['generation'],
                $source,
                $status['head_generation'],
            ),
            default => 'Every flag is off: there are no definitions to answer from.'
                . ' `php artisan feature:doctor` tells more',
        });
        foreach ([$status['last_error'], $status['warning']] as $trouble) {
            if ($trouble !== null) {
                $this->line('  ' . \str_replace("\n", "\n  ", $trouble));
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
