<?php

/**
 * Stands for packages that hook into Laravel applications: just so much of each as is called, as in the versions named here,
 * whose sources were read. Livewire's and Inertia's parts were tried with the packages themselves, too.
 */

declare(strict_types=1);

namespace Livewire {
    final class LivewireServiceProvider extends \Illuminate\Support\ServiceProvider
    {
    }

    // What Livewire's own route calls: here, each component but says for whom it asks.
    final class Updates
    {
        public function handleUpdate(): array
        {
            return [\Flagstone\Laravel\Facades\Flagstone::subject()->company, \Flagstone\Laravel\Facades\Flagstone::enabled('pilot')];
        }
    }

    // Livewire 2 to 4: a component may be a route's action, and binds its properties and those of its mount() when it is called.
    abstract class Component
    {
        public function __invoke(): string
        {
            $route = \request()->route();
            $wanted = \method_exists($this, 'mount') ? (new \ReflectionMethod($this, 'mount'))->getParameters() : [];
            $given = [];
            foreach ([...$wanted, ...(new \ReflectionClass($this))->getProperties(\ReflectionProperty::IS_PUBLIC)] as $one) {
                $value = $route->parameter($one->getName());
                $class = $one->getType()?->getName();
                if ($class !== null && \is_string($value)) {
                    $value = (new $class())->resolveRouteBinding($value, $route->bindingFieldFor($one->getName())) ?? \abort(404);
                    $route->setParameter($one->getName(), $value);
                }
                $one instanceof \ReflectionParameter ? $given[] = $value : $this->{$one->getName()} = $value;
            }
            $wanted === [] || $this->mount(...$given);

            return $this->render();
        }
    }

    // Livewire 4, and 3: a facade; the manager adds to its list.
    final class Livewire
    {
        /** @var list<string> */
        public static array $persistent = [];

        /** @param list<string> $middleware */
        public static function addPersistentMiddleware(array $middleware): void
        {
            self::$persistent = $middleware;
        }
    }
}

namespace Inertia {
    final class ServiceProvider extends \Illuminate\Support\ServiceProvider
    {
    }

    // inertia-laravel 1.3: a facade; share() takes a key and a value, and a closure is called when a page is made.
    final class Inertia
    {
        /** @var array<string, \Closure> */
        public static array $shared = [];

        public static function share(string $key, \Closure $value): void
        {
            self::$shared[$key] = $value;
        }
    }
}

namespace Filament\Support {
    // Filament 3: panels' routes are loaded while it boots, which runs the application's panel().
    final class SupportServiceProvider extends \Illuminate\Support\ServiceProvider
    {
        public static ?\Closure $panel = null;

        public function boot(): void
        {
            if (self::$panel !== null) {
                (self::$panel)();
            }
        }
    }
}

namespace Filament\Support\Components {
    // Filament 3 to 5: the root of what has visible(); macros are its own trait's, used as Laravel's.
    class Component
    {
        use \Illuminate\Support\Traits\Macroable;
    }
}

namespace Filament\Actions {
    final class Action extends \Filament\Support\Components\Component
    {
        public ?\Closure $visible = null;

        public function visible(\Closure $condition): self
        {
            $this->visible = $condition;

            return $this;
        }
    }
}

namespace Filament\Resources {
    // Filament 3 to 5; a resource's pages are given parameters.
    abstract class Resource
    {
        public static function canAccess(): bool
        {
            return true;
        }
    }
}

namespace Laravel\Nova {
    final class NovaCoreServiceProvider extends \Illuminate\Support\ServiceProvider
    {
    }
}

namespace Laravel\Nova\Fields {
    // Nova 4 and 5, which is not public: fields, actions and menu items use Macroable and AuthorizedToSee.
    final class Field
    {
        use \Illuminate\Support\Traits\Macroable;

        public ?\Closure $seen = null;

        public function canSee(\Closure $callback): self
        {
            $this->seen = $callback;

            return $this;
        }
    }
}

namespace Fruitcake\LaravelDebugbar {
    final class ServiceProvider extends \Illuminate\Support\ServiceProvider
    {
        public function register(): void
        {
            $this->app->instance('debugbar', new \Flagstone\Laravel\Tests\Support\Debugbar());
        }
    }
}

namespace DebugBar\DataCollector {
    // php-debugbar 3, of laravel-debugbar 4.
    final class MessagesCollector
    {
        /** @var list<string> */
        public array $messages = [];

        public function __construct(public readonly string $name)
        {
        }

        public function addMessage(string $message, string $label): void
        {
            $this->messages[] = "$message: $label";
        }
    }
}

namespace Laravel\Telescope {
    final class TelescopeServiceProvider extends \Illuminate\Support\ServiceProvider
    {
    }

    // Telescope 5.
    final class Telescope
    {
        public static ?\Closure $tag = null;

        public static function tag(\Closure $callback): void
        {
            self::$tag = $callback;
        }
    }
}
