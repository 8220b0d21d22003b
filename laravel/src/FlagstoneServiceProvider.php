<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Flagstone\Laravel\Drivers\Drivers;
use Flagstone\Laravel\Lifecycle\Pin;
use Flagstone\Laravel\Subject\JobSubject;
use Flagstone\Laravel\Subject\Presets;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Support\ServiceProvider;

/**
 * Binds Flagstone, and passes the application to one registrar per subject.
 *
 * php-fpm boots the application for every request, and most requests need little of it. Therefore an addition to a part of
 * Laravel, or to another package, waits until that part is made, or is known to be present; no class is loaded earlier, and
 * none looked for in vain.
 */
final class FlagstoneServiceProvider extends ServiceProvider
{
    /**
     * Classes with `register(object $made, Application $app): void`, called whenever the container makes the named object.
     *
     * @var array<string, class-string>
     */
    private const WHEN_MADE = [
        'blade.compiler' => View\BladeDirectives::class,
        'queue' => Queue\Listeners::class,
        'validator' => Rules\FeatureRule::class,
        // The kernel's schedule() runs while the container makes the Schedule, before any extender of that.
        'Illuminate\Contracts\Console\Kernel' => Queue\ScheduleMacros::class,
        'Illuminate\Console\Scheduling\Schedule' => Queue\ScheduleMacros::class,
        'Illuminate\Concurrency\ConcurrencyManager' => Queue\Processes::class,
        'Illuminate\Contracts\Auth\Access\Gate' => Auth\FeatureAbility::class,
        'Laravel\Pennant\FeatureManager' => Pennant\PennantStore::class,
    ];

    /**
     * Classes with `register(Application $app): void`, called once all providers are booted, if the named one is among them.
     *
     * @var array<string, class-string>
     */
    private const WHERE_PROVIDED = [
        'Barryvdh\Debugbar\ServiceProvider' => Integrations\Debugbar::class,
        'Fruitcake\LaravelDebugbar\ServiceProvider' => Integrations\Debugbar::class,
        'Filament\FilamentServiceProvider' => Subject\TenantListeners::class,
        'Filament\Support\SupportServiceProvider' => Integrations\Filament::class,
        'Inertia\ServiceProvider' => Integrations\Inertia::class,
        'Laravel\Nova\NovaCoreServiceProvider' => Integrations\Nova::class,
        'Laravel\Octane\OctaneServiceProvider' => Lifecycle\OctaneListeners::class,
        'Laravel\Telescope\TelescopeServiceProvider' => Integrations\Telescope::class,
        'Livewire\LivewireServiceProvider' => Integrations\Livewire::class,
        'Spatie\Multitenancy\MultitenancyServiceProvider' => Subject\TenantListeners::class,
        'Stancl\Tenancy\TenancyServiceProvider' => Subject\TenantListeners::class,
    ];

    /**
     * Registrars of macros that an application may call while its providers boot: registered before any of them does, and again
     * with the others, for packages that a provider adds while it boots.
     *
     * @var array<string, class-string>
     */
    private const BEFORE_BOOT = [
        'Filament\Support\SupportServiceProvider' => Integrations\Filament::class,
        'Laravel\Nova\NovaCoreServiceProvider' => Integrations\Nova::class,
    ];

    /** Keys of config/flagstone.php. */
    private const KEYS = [
        'driver' => true, 'store' => true, 'environment' => true, 'file' => true, 'overlay' => true, 'binary' => true, 'companies' => true,
        'middleware' => true, 'subject' => true, 'share' => true, 'unknown' => true, 'notify' => true, 'routes' => true, 'pennant' => true,
    ];

    public function register(): void
    {
        // Nothing is missing in a cached configuration, or in a whole file. Asking if it is cached takes as long as all the rest here.
        if (\array_diff_key(self::KEYS, self::config($this->app)) !== []) {
            $this->mergeConfigFrom(__DIR__ . '/../config/flagstone.php', 'flagstone');
        }
        DotenvFile::fill($this->app, self::config($this->app));

        $this->app->singleton(Drivers::class, static fn (Application $app): Drivers => new Drivers(
            $app,
            self::config($app),
        ));
        $this->app->singleton(Subjects::class, static fn (Application $app): Subjects => new Subjects(
            (new Presets($app))->make((new Config(self::config($app)))->subject()),
        ));
        // Before a tenant changes the path of storage.
        $storage = $this->app->storagePath();
        $this->app->singleton(Warnings::class, static fn (Application $app): Warnings => new Warnings($app, new SharedFile(
            // Per user: what one writes, another may not read.
            "$storage/framework/cache/flagstone-warnings-" . (\function_exists('posix_geteuid') ? \posix_geteuid() : \get_current_user()) . '.json',
        )));
        $this->app->singleton(Flagstone::class, static fn (Application $app): Flagstone => new Flagstone(
            $app->make(Drivers::class),
            $app->make(Subjects::class),
        ));
        $this->app->singleton(JobSubject::class);
        $this->app->singleton(Pin::class, static fn (Application $app): Pin => new Pin($app, !$app->runningInConsole()));
        $this->app->alias(Flagstone::class, 'flagstone');
        $this->app->booting(static fn (Application $app) => self::registerWhereProvided($app, self::BEFORE_BOOT));
    }

    /** @param array<string, class-string> $registrars by provider */
    private static function registerWhereProvided(Application $app, array $registrars): void
    {
        foreach (\array_unique(\array_intersect_key($registrars, LoadedProviders::of($app))) as $registrar) {
            (new $registrar())->register($app);
        }
    }

    /** @return array<string, mixed> config/flagstone.php, as it is now */
    private static function config(Application $app): array
    {
        $config = $app->make('config')->get('flagstone');

        /** @var array<string, mixed> */
        return \is_array($config) ? $config : [];
    }

    public function boot(): void
    {
        // Before a tenant changes the configuration or the path of storage.
        Config::atBoot($this->app, null, fn () => $this->app->make(Drivers::class)->nameStore());
        (new Http\RouteMiddleware())->register($this->app);
        (new Subject\LoginListeners())->register($this->app);
        $routes = self::config($this->app)['routes'] ?? [];
        if (\is_array($routes) && \array_filter($routes) !== []) {
            (new Http\OwnRoutes())->register($this->app);
        }
        foreach (self::WHEN_MADE as $name => $registrar) {
            // Not afterResolving(): the container compares its names with everything that it makes.
            $this->app->extend($name, static function (object $made, Application $app) use ($registrar): object {
                (new $registrar())->register($made, $app);

                return $made;
            });
        }
        $this->app->extend('Illuminate\Bus\BatchRepository', static fn (object $batches): object => Queue\ActingBatches::of($batches));
        $this->app->booted(static fn (Application $app) => self::registerWhereProvided($app, self::WHERE_PROVIDED));
        $this->app->make('events')->listen(
            'Illuminate\Foundation\Events\DiagnosingHealth',
            static fn () => Container::getInstance()->make(Integrations\Health::class)->handle(),
        );
        if ($this->app->runningInConsole()) {
            (new Console\ArtisanCommands())->register($this->app);
            $this->publishes([
                __DIR__ . '/../config/flagstone.php' => $this->app->configPath('flagstone.php'),
            ], 'flagstone-config');
            $this->loadViewsFrom(__DIR__ . '/../resources/views', 'flagstone');
            $this->publishes([
                __DIR__ . '/../resources/views' => $this->app->resourcePath('views/vendor/flagstone'),
            ], 'flagstone-notifications');
            // Laravel 11 and later: `optimize` tells whether flags can be answered.
            if (\method_exists($this, 'optimizes')) {
                $this->optimizes(optimize: 'feature:health', key: 'flagstone');
            }
        }
    }
}
