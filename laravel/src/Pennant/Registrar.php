<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Closure;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Warnings;
use Illuminate\Contracts\Foundation\Application;
use LogicException;

/**
 * Makes the driver "flagstone", and a store of that name, known to Laravel Pennant where that is installed.
 *
 * @internal
 */
final class Registrar
{
    /** What the driver builds on; an older Pennant lacks the last. */
    private const CONTRACTS = [
        'Laravel\Pennant\Contracts\Driver',
        'Laravel\Pennant\Contracts\CanListStoredFeatures',
        'Laravel\Pennant\Contracts\DefinesFeaturesExternally',
    ];

    public function register(object $manager, Application $app): void
    {
        $config = $app->make('config');
        if ($config->get('pennant.stores.flagstone') === null) {
            $config->set('pennant.stores.flagstone', ['driver' => 'flagstone']);
        }
        $manager->extend('flagstone', $this->maker(Config::of($app)->map('pennant.scopes')));
    }

    /**
     * Not static: Pennant binds it to its manager.
     *
     * @param array<array-key, string> $scopes
     */
    private function maker(array $scopes): Closure
    {
        $contracts = self::CONTRACTS;

        return function (Application $app) use ($scopes, $contracts): FlagstoneDriver {
            foreach ($contracts as $contract) {
                if (!\interface_exists($contract)) {
                    throw new LogicException("Flagstone's driver needs a Laravel Pennant that has $contract: composer update laravel/pennant");
                }
            }

            return new FlagstoneDriver(
                $app->make(Flagstone::class),
                new Scopes($app, $scopes),
                $app->make(Warnings::class),
            );
        };
    }
}
