<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Integrations;

use Flagstone\Laravel\Flagstone;
use Illuminate\Container\Container;
use UnitEnum;

/**
 * For a Filament resource or page that is hidden while its flag is off, in navigation and by address:
 *
 *     class PortalResource extends Resource
 *     {
 *         use GuardsFilament;
 *
 *         protected static function feature(): string
 *         {
 *             return 'customer_portal';
 *         }
 *     }
 */
trait GuardsFilament
{
    abstract protected static function feature(): string|UnitEnum;

    /** @param array<string, mixed> $parameters those of the parent, if it takes any */
    public static function canAccess(array $parameters = []): bool
    {
        return Container::getInstance()->make(Flagstone::class)->enabled(static::feature())
            && parent::canAccess(...\func_get_args());
    }
}
