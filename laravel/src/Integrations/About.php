<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Config;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Http\OwnRoutes;
use Illuminate\Container\Container;

/**
 * The section "Flagstone" of `php artisan about`.
 *
 * @internal
 */
final class About
{
    public function __construct(private readonly Flagstone $flagstone)
    {
    }

    /** @return array<string, string> */
    public function rows(): array
    {
        $driver = $this->flagstone->driver();
        $status = $driver->status();
        $rows = [
            'Version' => "{$status['version']} ({$status['backend']})",
            'Driver' => $driver->name(),
            $driver->name() === 'file' ? 'File' : 'Store' => $status['store'] ?? 'none',
            'Environment' => $status['environment'] ?? 'none',
            'Generation' => $status['source'] === 'none' ? 'none: every flag is off' : "{$status['generation']} ({$status['source']})",
            'Flags' => (string) $status['flags'],
        ];
        if ($status['killed'] !== []) {
            $rows['Killed'] = \implode(', ', $status['killed']);
        }
        if ($status['stopped']) {
            $rows['Stopped'] = 'everything, until feature:resume-all';
        }
        $routes = OwnRoutes::warning(Config::of(Container::getInstance()));
        if ($routes !== null) {
            $rows['Routes'] = $routes;
        }
        foreach (['Error' => $status['last_error'], 'Warning' => $status['warning']] as $name => $trouble) {
            if ($trouble !== null) {
                $rows[$name] = $trouble;
            }
        }

        return $rows;
    }
}
