<?php

/**
 * Stands for packages that hook into Laravel applications: just so much of each as is called.
 */

declare(strict_types=1);

namespace Livewire {
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

namespace Filament\Support\Components {
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
    abstract class Resource
    {
        public static function canAccess(): bool
        {
            return true;
        }
    }
}

namespace Laravel\Nova\Fields {
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

namespace DebugBar\DataCollector {
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
    final class Telescope
    {
        public static ?\Closure $tag = null;

        public static function tag(\Closure $callback): void
        {
            self::$tag = $callback;
        }
    }
}
