<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Events\FeatureAsked;
use Illuminate\Contracts\Foundation\Application;

/**
 * A tab of the debug bar with the flags that were asked for.
 *
 * @internal
 */
final class Debugbar
{
    public function register(Application $app): void
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
        $app->make('events')->listen(FeatureAsked::class, static function (FeatureAsked $event) use ($messages): void {
            $company = $event->subject->company;
            $whom = $company === null ? 'no company' : "company $company";
            $messages->addMessage("$event->flag for $whom", $event->enabled ? 'on' : 'off');
        });
    }
}
