<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Events\FeatureAsked;
use Illuminate\Container\Container;
use Illuminate\Http\Request;

/**
 * The flags that a request asked for, kept with the request. Listens only if a tool that shows them is installed.
 *
 * @internal
 */
final class AskedFlags
{
    private const KEPT = 'flagstone.asked';

    public static function note(FeatureAsked $event): void
    {
        $request = self::request();
        // A console's request, which has no route, lives as long as the process.
        if ($request === null || $request->route() === null) {
            return;
        }
        $asked = self::asked($request);
        $before = \array_key_exists($event->flag, $asked) ? $asked[$event->flag] : $event->enabled;
        // Null if it was asked for several companies, with different answers.
        $asked[$event->flag] = $before === $event->enabled ? $event->enabled : null;
        $request->attributes->set(self::KEPT, $asked);
    }

    /** @return list<string> for Telescope: flag:customer_portal:on */
    public static function tags(): array
    {
        $tags = [];
        foreach (self::asked(self::request()) as $flag => $enabled) {
            $tags[] = "flag:$flag:" . ($enabled === null ? 'mixed' : ($enabled ? 'on' : 'off'));
        }

        return $tags;
    }

    /** @return array<array-key, ?bool> by flag; null: on and off */
    private static function asked(?Request $request): array
    {
        $asked = $request?->attributes->get(self::KEPT);

        return \is_array($asked) ? \array_map(static fn (mixed $on): ?bool => \is_bool($on) ? $on : null, $asked) : [];
    }

    private static function request(): ?Request
    {
        $app = Container::getInstance();
        $request = $app->bound('request') ? $app->make('request') : null;

        return $request instanceof Request ? $request : null;
    }
}
