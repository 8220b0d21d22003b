<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Drivers;

use Closure;
use Flagstone\Laravel\Config;
use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Extension;
use Illuminate\Contracts\Foundation\Application;

/**
 * Chooses and makes the configured driver.
 */
final class Drivers
{
    /** @var array<string, Closure(Application, array<string, mixed>): Driver> */
    private array $makers = [];

    /** A store that is not there, which a command names when it asks for a flag: the extension says on the terminal that it is missing. */
    private ?string $missing = null;

    /** @param array<string, mixed> $config config/flagstone.php at the application's boot */
    public function __construct(private readonly Application $app, private readonly array $config)
    {
        $this->makers['native'] = fn (): Driver => $this->functions('native');
        $this->makers['store'] = fn (): Driver => $this->functions('store');
        $this->makers['file'] = fn (): Driver => $this->file();
    }

    /** @param Closure(Application, array<string, mixed>): Driver $maker */
    public function extend(string $name, Closure $maker): void
    {
        $this->makers[$name] = $maker;
    }

    /** @throws InvalidSetting if no driver has that name */
    public function make(?string $name = null): Driver
    {
        $name ??= $this->chosen();
        $maker = $this->makers[$name] ?? throw InvalidSetting::unknown('driver', $name, \array_keys($this->makers));

        return $maker($this->app, $this->config);
    }

    /** The configured driver's name, or the one that this machine allows. */
    public function chosen(): string
    {
        $configured = $this->text('driver');
        if ($configured !== null) {
            return $configured;
        }
        // Tests never answer from a store's live switches, whatever this machine has.
        if ($this->app->environment('testing')) {
            return 'file';
        }
        if (Extension::isLoaded()) {
            return 'native';
        }
        $store = $this->store();
        if ($store === null || @\is_file($store . '/head')) {
            return 'store';
        }

        return $this->app->environment('local') ? 'file' : 'store';
    }

    /** Names the store, or the file, so that the global functions answer from it, too. */
    public function nameStore(): void
    {
        if ($this->chosen() === 'file' && !Extension::isLoaded()) {
            $this->file()->use();
        }
        $store = \in_array($this->chosen(), ['native', 'store'], true) ? $this->store() : null;
        if ($store !== null && $this->app->runningInConsole() && !@\is_file("$store/head")) {
            $this->missing = $store;
        } elseif ($store !== null) {
            \flagstone_use($store);
        }
    }

    private function functions(string $name): Driver
    {
        if ($name === 'native' && !Extension::isLoaded()) {
            throw new InvalidSetting(
                'config/flagstone.php: driver is "native", but the PHP extension flagstone is not loaded here;'
                . ' install it (php --ri flagstone shows it), or set the driver to "store" or null',
            );
        }

        if ($this->missing !== null) {
            \flagstone_use($this->missing);
            $this->missing = null;
        }

        return new FunctionsDriver($name, $this->store());
    }

    private function file(): FileDriver
    {
        $config = new Config($this->config);

        return new FileDriver(
            $config->file($this->app),
            $this->text('environment') ?? (string) $this->app->environment(),
            $config->overlay($this->app),
            // Laravel's own names for a developer's machine and for tests: a document need not name those.
            $this->text('environment') === null && $this->app->environment('local', 'testing'),
            $config->throwsUnknown($this->app),
        );
    }

    /** The store's path; null if php.ini names it. */
    private function store(): ?string
    {
        return Extension::store() === '' ? (new Config($this->config))->store($this->app) : null;
    }

    private function text(string $key): ?string
    {
        return (new Config($this->config))->text($key);
    }
}
