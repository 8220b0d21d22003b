<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Closure;
use Flagstone\Laravel\Events\FeatureAsked;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Http\CheckFeatureFlag;
use Illuminate\Container\Container;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Foundation\Application;
use UnitEnum;

/**
 * Takes its place in packages that are installed, each known by a class's name, and in those parts of Laravel that only
 * later versions have.
 *
 * @internal
 */
final class Registrar
{
    /** Things of an admin panel that can be hidden: by visible(), or by canSee(). */
    private const HIDEABLE = [
        'Filament\Support\Components\Component' => 'visible',
        'Filament\Navigation\NavigationItem' => 'visible',
        'Laravel\Nova\Fields\Field' => 'canSee',
        'Laravel\Nova\Actions\Action' => 'canSee',
        'Laravel\Nova\Menu\MenuItem' => 'canSee',
        'Laravel\Nova\Menu\MenuSection' => 'canSee',
    ];

    public function register(Application $app): void
    {
        $app->booted(function () use ($app): void {
            $this->livewire();
            $this->panels();
            $this->inertia($app);
            $this->debugbar($app);
            $this->telescope($app);
        });
        if (\class_exists('Illuminate\Foundation\Console\AboutCommand')) {
            ('Illuminate\Foundation\Console\AboutCommand')::add('Flagstone', static fn (): array => $app->make(About::class)->rows());
        }
        $app->make(Dispatcher::class)->listen('Illuminate\Foundation\Events\DiagnosingHealth', static fn () => $app->make(Health::class)->handle());
    }

    /** The middleware guards a component's later requests as it does the page's. */
    private function livewire(): void
    {
        if (\class_exists('Livewire\Livewire')) {
            ('Livewire\Livewire')::addPersistentMiddleware([CheckFeatureFlag::class]);
        }
    }

    /** ->feature('key') on what Filament and Nova can hide. */
    private function panels(): void
    {
        foreach (self::HIDEABLE as $class => $hide) {
            if (\method_exists($class, 'macro')) {
                $class::macro('feature', function (string|UnitEnum $flag) use ($hide): object {
                    return $this->{$hide}(static fn (): bool => Container::getInstance()->make(Flagstone::class)->enabled($flag));
                });
            }
        }
    }

    private function inertia(Application $app): void
    {
        if (!\class_exists('Inertia\Inertia') || (array) $app->make('config')->get('flagstone.share', []) === []) {
            return;
        }
        $flags = static fn (): object => Container::getInstance()->make(SharedFlags::class)->jsonSerialize();
        $share = static fn () => ('Inertia\Inertia')::share('features', $flags);
        $share();
        // Octane has Inertia forget before each request; its own listener was there first.
        $app->make(Dispatcher::class)->listen('Laravel\Octane\Events\RequestReceived', $share);
    }

    /** A tab with the flags that were asked for. */
    private function debugbar(Application $app): void
    {
        $collector = 'DebugBar\DataCollector\MessagesCollector';
        if (!$app->bound('debugbar') || !\class_exists($collector)) {
            return;
        }
        $bar = $app->make('debugbar');
        if (!$bar->isEnabled() || $bar->hasCollector('flagstone')) {
            return;
        }
        $messages = new $collector('flagstone');
        $bar->addCollector($messages);
        $app->make(Dispatcher::class)->listen(FeatureAsked::class, static function (FeatureAsked $event) use ($messages): void {
            $company = $event->subject->company;
            $whom = $company === null ? 'no company' : "company $company";
            $messages->addMessage("$event->flag for $whom", $event->enabled ? 'on' : 'off');
        });
    }

    /** Requests and exceptions are tagged with the flags that were asked for. */
    private function telescope(Application $app): void
    {
        if (!\class_exists('Laravel\Telescope\Telescope') || !$app->make('config')->get('telescope.enabled', true)) {
            return;
        }
        $app->make(Dispatcher::class)->listen(FeatureAsked::class, AskedFlags::note(...));
        ('Laravel\Telescope\Telescope')::tag(
            static fn (object $entry): array => \in_array($entry->type, ['request', 'exception'], true) ? AskedFlags::tags() : [],
        );
    }
}
