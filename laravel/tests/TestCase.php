<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Tests\Support\Skeleton;
use Flagstone\Laravel\Lifecycle\Pin;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Testing\TestCase as LaravelTestCase;

/**
 * A Laravel application of its own for each test, with this package and a published store.
 */
abstract class TestCase extends LaravelTestCase
{
    /** @var array{callable|null, callable|null} what handled errors and exceptions before the application did */
    private array $handlers = [null, null];

    protected function setUp(): void
    {
        $this->handlers = self::handlers();
        parent::setUp();
    }

    protected function tearDown(): void
    {
        // The counters' marks are the process's, and nest.
        if ($this->app?->resolved(Pin::class)) {
            $this->app->make(Pin::class)->endAll();
        }
        parent::tearDown();
        // Up to version 10 Laravel leaves its handlers, and PHPUnit from version 10 calls that risky.
        while (self::handlers()[0] !== null && self::handlers()[0] !== $this->handlers[0]) {
            \restore_error_handler();
        }
        while (self::handlers()[1] !== null && self::handlers()[1] !== $this->handlers[1]) {
            \restore_exception_handler();
        }
    }

    /** @return array{callable|null, callable|null} */
    private static function handlers(): array
    {
        $handlers = [\set_error_handler(null), \set_exception_handler(null)];
        \restore_error_handler();
        \restore_exception_handler();

        return $handlers;
    }

    public function createApplication(): Application
    {
        // Another test's warnings were said by another application.
        @\unlink(self::warnings());

        return Skeleton::boot(function (Application $app): void {
            $app->make('config')->set('flagstone', $this->flagstone() + [
                'driver' => \extension_loaded('flagstone') ? 'native' : 'store',
                'store' => Store::path(),
            ]);
            $this->configure($app);
        });
    }

    /** The file of the warnings that processes have said. */
    protected static function warnings(): string
    {
        return Skeleton::folder() . '/storage/framework/cache/flagstone-warnings-' . \posix_geteuid() . '.json';
    }

    /** As if they were said that many seconds earlier. */
    protected function warningsAge(int $seconds): void
    {
        $notes = (array) \json_decode((string) \file_get_contents(self::warnings()), true);
        \file_put_contents(self::warnings(), \json_encode(\array_map(static fn (int $at): int => $at - $seconds, $notes)));
    }

    /**
     * Configuration of the package that differs from config/flagstone.php.
     *
     * @return array<string, mixed>
     */
    protected function flagstone(): array
    {
        return [];
    }

    /** Changes configuration before the package's provider is registered. */
    protected function configure(Application $app): void
    {
    }

    /**
     * Publishes these flags, and nothing else, as the store's newest generation.
     *
     * @param array<string, bool|array<string, mixed>> $flags as in flags.json
     * @param array<string, mixed> $more segments and the like
     */
    protected function publish(array $flags, array $more = []): void
    {
        Store::publish($flags, $more);
        $this->app->make('flagstone')->driver()->refresh();
    }

    /**
     * Runs the command `flagstone` on the store.
     *
     * @return string what it printed
     */
    protected function flagstoneCommand(string ...$arguments): string
    {
        $printed = Store::command(...$arguments);
        $this->app->make('flagstone')->driver()->refresh();

        return $printed;
    }

    /** A company's user, signed in or to be. */
    protected function user(int|string|null $company, int $id = 7): Support\User
    {
        return new Support\User(['id' => $id, 'company_id' => $company]);
    }
}
