<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Closure;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Value;
use Flagstone\Laravel\Warnings;
use Illuminate\Contracts\Foundation\Application;
use LogicException;

/**
 * Registers the driver "flagstone", and a store of that name, with Laravel Pennant if that is installed.
 *
 * @internal
 */
final class PennantStore
{
    /** Drivers by Pennant's contracts, the newest first: the contract, and the driver that builds on it. */
    private const DRIVERS = [
        'Laravel\Pennant\Contracts\DefinesFeaturesExternally' => ExternalDriver::class,
        'Laravel\Pennant\Contracts\CanListStoredFeatures' => ListingDriver::class,
        'Laravel\Pennant\Contracts\Driver' => FlagstoneDriver::class,
    ];

    public function register(object $manager, Application $app): void
    {
        $config = $app->make('config');
        if ($config->get('pennant.stores.flagstone') === null) {
            $config->set('pennant.stores.flagstone', ['driver' => 'flagstone']);
        }
        $settings = Config::of($app);
        $default = new DefaultScope();
        $default->register($manager);
        $manager->extend('flagstone', $this->maker($settings->map('pennant.scopes'), $default, $settings->text('pennant.fallback')));
    }

    /** @return list<string> names of the stores in config/pennant.php that have this driver */
    public static function names(Application $app): array
    {
        $stores = $app->make('config')->get('pennant.stores');
        $own = \array_filter(\is_array($stores) ? $stores : [], static fn (mixed $store): bool => Value::text($store, 'driver') === 'flagstone');

        return \array_map(strval(...), \array_keys($own));
    }

    /**
     * Not static: Pennant binds it to its manager.
     *
     * @param array<array-key, string> $scopes
     */
    private function maker(array $scopes, DefaultScope $default, ?string $fallback): Closure
    {
        $drivers = self::DRIVERS;

        return function (Application $app) use ($scopes, $default, $fallback, $drivers): FlagstoneDriver {
            foreach ($drivers as $contract => $driver) {
                if (\interface_exists($contract)) {
                    $flagstone = $app->make(Flagstone::class);

                    return new $driver(
                        $flagstone,
                        new FlagNames($flagstone),
                        new Scopes($app, $scopes, $default),
                        $app->make(Warnings::class),
                        new Fallback($this, PennantStore::names($app), $fallback),
                    );
                }
            }

            throw new LogicException("Flagstone's driver needs Laravel Pennant 1.7 or later: composer update laravel/pennant");
        };
    }
}
