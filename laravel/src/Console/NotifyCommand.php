<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Changes\Trail;
use Flagstone\Laravel\Events\FlagChanged;
use Illuminate\Contracts\Events\Dispatcher;
use RuntimeException;

/**
 * For Laravel's scheduler: what happened to the store's flags, to whoever listens for `FlagChanged`.
 */
final class NotifyCommand extends FlagCommand
{
    protected $signature = 'feature:notify';

    protected $description = 'Dispatch an event for each change of flags since the last time';

    public function handle(Trail $trail, Changer $changer, Dispatcher $events): int
    {
        try {
            $handed = $trail->follow($changer->directory(), static function (FlagChanged $event) use ($events): void {
                $events->dispatch($event);
            });
        } catch (RuntimeException $problem) {
            return $this->finish(Result::unknown($problem->getMessage()));
        }
        $this->line($handed === null ? 'Another process is at it' : "$handed dispatched");

        return 0;
    }
}
