<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Queue;

use Flagstone\Laravel\Flagstone;
use Illuminate\Console\Scheduling\Event;
use Illuminate\Container\Container;
use UnitEnum;

/**
 * Scheduler macros: events that run only while a flag is on.
 *
 * @internal
 */
final class ScheduleMacros
{
    public function register(): void
    {
        $flagstone = static fn (): Flagstone => Container::getInstance()->make(Flagstone::class);
        // Asks for one company, or for none: a pilot is off then.
        Event::macro('feature', function (string|UnitEnum $flag, mixed $company = null) use ($flagstone): Event {
            /** @var Event $this */
            return $this->when(static fn (): bool => $flagstone()->for($company)->enabled($flag));
        });
        // True while it could be on for any company; the event asks for each.
        Event::macro('featurePossible', function (string|UnitEnum $flag) use ($flagstone): Event {
            /** @var Event $this */
            return $this->when(static fn (): bool => $flagstone()->possible($flag));
        });
    }
}
