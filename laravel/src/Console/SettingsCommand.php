<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Http\OwnRoutes;

/**
 * Prints the effective settings of this application's .env, configuration and php.ini, for `flagstone doctor --code`.
 */
final class SettingsCommand extends FlagCommand
{
    protected $signature = 'feature:settings
        {--json : Print JSON}';

    protected $description = 'Show the store, the environment and the driver that this application is set to';

    public function handle(Changer $changer, Flagstone $flagstone): int
    {
        $settings = [
            'environment' => $this->config()->text('environment') ?? (string) $this->laravel->environment(),
            'driver' => $flagstone->driver()->name(),
            'store' => $changer->isFile() ? null : $changer->directory(),
            // Named by .env, the configuration or the environment, while another one answers, which wins.
            'overridden_store' => $changer->otherStore(),
            'command' => $changer->binary()->path(),
        ];
        if ($this->isJson()) {
            $this->json($settings);

            return self::SUCCESS;
        }
        foreach ($settings as $name => $value) {
            if ($name !== 'overridden_store') {
                $this->raw(\sprintf('%-12s %s', $name, $value ?? 'none'));
            }
        }
        foreach (\array_filter([$changer->storeFinding(), OwnRoutes::warning($this->config())], is_string(...)) as $problem) {
            $this->raw("warning      $problem");
        }

        return self::SUCCESS;
    }
}
