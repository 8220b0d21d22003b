<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Subject\Presets;
use Flagstone\Laravel\Subject\Subjects;
use Flagstone\Laravel\Subject\Travel;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Support\ServiceProvider;

/**
 * Binds Flagstone, and hands the application to one registrar per subject.
 *
 * A registrar is a class with `register(Application $app): void`, called when the application boots.
 */
final class FlagstoneServiceProvider extends ServiceProvider
{
    /** @var list<class-string> */
    private const REGISTRARS = [
        Console\Registrar::class,
        Http\Registrar::class,
        Integrations\Registrar::class,
        Lifecycle\Registrar::class,
        Pennant\Registrar::class,
        Queue\Registrar::class,
        Subject\Registrar::class,
        View\Registrar::class,
        Rules\Registrar::class,
        Auth\Registrar::class,
    ];

    public function register(): void
    {
        $this->mergeConfigFrom(__DIR__ . '/../config/flagstone.php', 'flagstone');

        $this->app->singleton(Drivers::class, static fn (Application $app): Drivers => new Drivers(
            $app,
            $app->make('config')->get('flagstone'),
        ));
        $this->app->singleton(Subjects::class, static fn (Application $app): Subjects => new Subjects(
            (new Presets($app))->make($app->make('config')->get('flagstone.subject', 'user:company_id')),
        ));
        $this->app->singleton(Warnings::class, static fn (Application $app): Warnings => new Warnings($app));
        $this->app->singleton(Flagstone::class, static fn (Application $app): Flagstone => new Flagstone(
            $app->make(Drivers::class),
            $app->make(Subjects::class),
            $app->make(Warnings::class),
            $app->make(Dispatcher::class),
        ));
        $this->app->singleton(Travel::class);
        $this->app->alias(Flagstone::class, 'flagstone');
    }

    public function boot(): void
    {
        // Now, before a tenant changes the configuration or the path of storage.
        $this->app->make(Drivers::class)->nameStore();
        // A test's Event::fake() replaces the dispatcher.
        $this->app->rebinding('events', static function (Application $app, Dispatcher $events): void {
            $app->make(Flagstone::class)->setEvents($events);
        });
        foreach (self::REGISTRARS as $registrar) {
            (new $registrar())->register($this->app);
        }
        // Laravel 11 and later: `optimize` tells whether flags can be answered.
        if (\method_exists($this, 'optimizes')) {
            $this->optimizes(optimize: 'feature:health', key: 'flagstone');
        }
        if ($this->app->runningInConsole()) {
            $this->publishes([
                __DIR__ . '/../config/flagstone.php' => $this->app->configPath('flagstone.php'),
            ], 'flagstone-config');
        }
    }
}
