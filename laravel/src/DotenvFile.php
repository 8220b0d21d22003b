<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Dotenv\Dotenv;
use Dotenv\Exception\ExceptionInterface;
use Dotenv\Repository\Adapter\ArrayAdapter;
use Dotenv\Repository\Adapter\EnvConstAdapter;
use Dotenv\Repository\Adapter\PutenvAdapter;
use Dotenv\Repository\Adapter\ServerConstAdapter;
use Dotenv\Repository\RepositoryBuilder;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Foundation\Application as LaravelApplication;
use Illuminate\Support\Arr;
use Illuminate\Support\Env;

/**
 * The application's .env, or the environment's own file in its place, whatever the process's environment has.
 *
 * @internal
 */
final class DotenvFile
{
    /** Variables of the settings in config/flagstone.php. */
    private const VARIABLES = [
        'driver' => 'FLAGSTONE_DRIVER', 'store' => 'FLAGSTONE_STORE', 'environment' => 'FLAGSTONE_ENVIRONMENT', 'binary' => 'FLAGSTONE_BINARY',
        'unknown' => 'FLAGSTONE_UNKNOWN', 'notify.slack.url' => 'FLAGSTONE_SLACK_WEBHOOK', 'routes.health' => 'FLAGSTONE_HEALTH_PATH',
        'routes.metrics' => 'FLAGSTONE_METRICS_PATH', 'routes.token' => 'FLAGSTONE_MONITORING_TOKEN',
    ];

    /**
     * Sets what a blank variable of the environment hides, such as `FLAGSTONE_STORE=` of a pool or of Compose: Laravel reads .env beside it for
     * other variables only. Tests blank variables in phpunit.xml to be without .env, and a cached configuration has been through here.
     *
     * @param array<string, mixed> $settings config/flagstone.php as Laravel has read it
     */
    public static function fill(Application $app, array $settings): void
    {
        $isBlank = static fn (string $key): bool => \is_string($text = Arr::get($settings, $key)) && \trim($text) === '';
        $blank = \array_filter(self::VARIABLES, $isBlank, \ARRAY_FILTER_USE_KEY);
        if ($blank === [] || !$app instanceof LaravelApplication || $app->environment('testing') || $app->configurationIsCached()) {
            return;
        }
        // To look is cheaper than to read: the blank line is mostly that of .env itself.
        $lines = '/^\s*(?:export\s+)?[\'"]?(?:' . \implode('|', $blank) . ')[\'"]?\s*=\s*(?!(?:""|\'\')?\s*(?:#|$))/m';
        if (\preg_match($lines, (string) @\file_get_contents(self::path($app, false))) !== 1) {
            return;
        }
        $values = self::values($app, false);
        foreach ($blank as $key => $name) {
            // As env() reads them.
            $value = match (\strtolower($text = \trim($values[$name] ?? ''))) {
                'true', '(true)' => true,
                'false', '(false)' => false,
                '', 'null', '(null)', 'empty', '(empty)' => null,
                default => $text,
            };
            if ($value !== null) {
                $app->make('config')->set("flagstone.$key", $value);
            }
        }
    }

    /** @return array<string, ?string> the values as Laravel reads them where the configuration is not cached; none if the file cannot be read */
    public static function values(LaravelApplication $app, bool $isCached): array
    {
        $values = RepositoryBuilder::createWithNoAdapters()
            ->addReader(ServerConstAdapter::class)->addReader(EnvConstAdapter::class)->addReader(PutenvAdapter::class)->addAdapter(ArrayAdapter::class)->make();
        try {
            return Dotenv::create($values, $app->environmentPath(), \basename(self::path($app, $isCached)))->safeLoad();
        } catch (ExceptionInterface) {
            return [];
        }
    }

    private static function path(LaravelApplication $app, bool $isCached): string
    {
        // Laravel has chosen the environment's own file already, but beside a cached configuration.
        $path = $app->environmentFilePath();
        $own = $isCached ? "$path." . Env::get('APP_ENV') : $path;

        return @\is_file($own) ? $own : $path;
    }
}
