<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Events\FeatureAsked;
use Illuminate\Container\Container;
use Illuminate\Http\Request;

/**
 * The flags that a request asked for, kept with the request. Listens only where a tool that shows them is installed.
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
        $asked = $request->attributes->get(self::KEPT, []);
        $before = $asked[$event->flag] ?? $event->enabled;
        // Asked for several companies, with different answers.
        $asked[$event->flag] = $before === $event->enabled ? $event->enabled : null;
        $request->attributes->set(self::KEPT, $asked);
    }

    /** @return list<string> for Telescope: flag:customer_portal:on */
    public static function tags(): array
    {
        $tags = [];
        foreach (self::request()?->attributes->get(self::KEPT, []) ?? [] as $flag => $enabled) {
            $tags[] = "flag:$flag:" . ($enabled === null ? 'mixed' : ($enabled ? 'on' : 'off'));
        }

        return $tags;
    }

    private static function request(): ?Request
    {
        $app = Container::getInstance();
        $request = $app->bound('request') ? $app->make('request') : null;

        return $request instanceof Request ? $request : null;
    }
}
