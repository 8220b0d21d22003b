<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Flagstone\Laravel\FlagstoneServiceProvider;
use Illuminate\Contracts\Console\Kernel as ConsoleKernelContract;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as HttpKernelContract;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Bootstrap\LoadConfiguration;
use Illuminate\Foundation\Exceptions\Handler;

/**
 * The smallest whole Laravel application: what `laravel new` makes, less what no test needs.
 */
final class Skeleton
{
    private static ?string $folder = null;

    /**
     * @param Closure(Application): void $configure runs when the configuration is loaded
     * @param class-string $kernel the kernel that boots it
     * @param string|null $folder its base path, where several processes are one application
     */
    public static function boot(Closure $configure, string $kernel = ConsoleKernelContract::class, ?string $folder = null): Application
    {
        self::$folder ??= $folder;
        $app = new Application(self::folder());
        $app->singleton(HttpKernelContract::class, HttpKernel::class);
        $app->singleton(ConsoleKernelContract::class, ConsoleKernel::class);
        $app->singleton(ExceptionHandler::class, Handler::class);
        $app->afterBootstrapping(LoadConfiguration::class, $configure);
        // Laravel 11 and later would merge the framework's own config folder, which Debian leaves out.
        if (\method_exists($app, 'dontMergeFrameworkConfiguration')) {
            $app->dontMergeFrameworkConfiguration();
        }
        $app->make($kernel)->bootstrap();
        // Laravel asks for every notice; version 8 raises deprecations of its own on PHP 8.2.
        \error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);

        return $app;
    }

    /** The application's base path. */
    public static function folder(): string
    {
        $folder = self::$folder ??= Store::unused('app');
        if (!\is_dir($folder)) {
            $folders = [
                'bootstrap/cache', 'config', 'database', 'public', 'resources/views', 'routes',
                'storage/framework/cache/data', 'storage/framework/sessions', 'storage/framework/views', 'storage/logs',
            ];
            foreach ($folders as $path) {
                \mkdir("$folder/$path", 0755, true);
            }
            foreach (self::config() as $name => $config) {
                \file_put_contents("$folder/config/$name.php", '<?php return ' . \var_export($config, true) . ';');
            }
        }

        return $folder;
    }

    /** @return array<string, array<string, mixed>> */
    private static function config(): array
    {
        $storage = self::folder() . '/storage';

        return [
            'app' => [
                'name' => 'Flagstone', 'env' => 'testing', 'debug' => false, 'url' => 'http://localhost',
                'timezone' => 'UTC', 'locale' => 'en', 'fallback_locale' => 'en', 'cipher' => 'AES-256-CBC', 'key' => \str_repeat('k', 32),
                'providers' => [
                    \Illuminate\Auth\AuthServiceProvider::class,
                    \Illuminate\Bus\BusServiceProvider::class,
                    \Illuminate\Cache\CacheServiceProvider::class,
                    \Illuminate\Cookie\CookieServiceProvider::class,
                    \Illuminate\Database\DatabaseServiceProvider::class,
                    \Illuminate\Encryption\EncryptionServiceProvider::class,
                    \Illuminate\Filesystem\FilesystemServiceProvider::class,
                    \Illuminate\Foundation\Providers\ConsoleSupportServiceProvider::class,
                    \Illuminate\Foundation\Providers\FoundationServiceProvider::class,
                    \Illuminate\Hashing\HashServiceProvider::class,
                    \Illuminate\Pipeline\PipelineServiceProvider::class,
                    \Illuminate\Queue\QueueServiceProvider::class,
                    \Illuminate\Session\SessionServiceProvider::class,
                    \Illuminate\Translation\TranslationServiceProvider::class,
                    \Illuminate\Validation\ValidationServiceProvider::class,
                    \Illuminate\View\ViewServiceProvider::class,
                    FlagstoneServiceProvider::class,
                ],
                'aliases' => [],
            ],
            'auth' => [
                'defaults' => ['guard' => 'web'],
                'guards' => ['web' => ['driver' => 'session', 'provider' => 'users']],
                'providers' => ['users' => ['driver' => 'eloquent', 'model' => User::class]],
            ],
            'cache' => ['default' => 'array', 'stores' => ['array' => ['driver' => 'array']], 'prefix' => 'test'],
            'database' => [
                'default' => 'sqlite',
                'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => ':memory:', 'prefix' => '']],
            ],
            'filesystems' => ['default' => 'local', 'disks' => ['local' => ['driver' => 'local', 'root' => $storage]]],
            'logging' => [
                'default' => 'single',
                'channels' => ['single' => ['driver' => 'single', 'path' => "$storage/logs/laravel.log"]],
            ],
            'queue' => ['default' => 'sync', 'connections' => ['sync' => ['driver' => 'sync']]],
            'session' => [
                'driver' => 'array', 'lifetime' => 120, 'expire_on_close' => false, 'encrypt' => false,
                'files' => "$storage/framework/sessions", 'lottery' => [0, 100], 'cookie' => 'session', 'path' => '/',
                'domain' => null, 'secure' => false, 'http_only' => true, 'same_site' => 'lax',
            ],
            'view' => ['paths' => [self::folder() . '/resources/views'], 'compiled' => "$storage/framework/views"],
        ];
    }
}
