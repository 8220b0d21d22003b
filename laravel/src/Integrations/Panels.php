<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Flagstone;
use Illuminate\Container\Container;
use UnitEnum;

/**
 * The method feature('key') for parts of an admin panel that can be hidden.
 *
 * @internal
 */
final class Panels
{
    /** @param array<string, string> $hideable by class: its method that takes a closure, which returns true to show the part */
    public static function addWord(array $hideable): void
    {
        foreach ($hideable as $class => $hide) {
            if (\method_exists($class, 'macro')) {
                $class::macro('feature', function (string|UnitEnum $flag) use ($hide): object {
                    return $this->{$hide}(static fn (): bool => Container::getInstance()->make(Flagstone::class)->enabled($flag));
                });
            }
        }
    }
}
