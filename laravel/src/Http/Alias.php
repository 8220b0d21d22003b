<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Config;
use Flagstone\Laravel\SafeCall;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Routing\Router;

/**
 * The middleware's name in routes, and its class.
 *
 * @internal
 */
final class Alias
{
    public function __construct(private readonly Application $app, private readonly Router $router)
    {
    }

    public function name(): string
    {
        return Config::of($this->app)->text('middleware.alias') ?? 'feature';
    }

    /** The class behind the name if it is the application's own; null: this package's. */
    public function foreign(): ?string
    {
        $class = $this->all()[$this->name()] ?? null;

        return $class === null || \is_a($class, CheckFeatureFlag::class, true) ? null : $class;
    }

    /**
     * Every alias. The application's own come with its HTTP kernel, which nothing makes on the console.
     *
     * @return array<string, string>
     */
    public function all(): array
    {
        SafeCall::or(null, fn (): mixed => $this->app->make(Kernel::class));

        return $this->router->getMiddleware();
    }
}
