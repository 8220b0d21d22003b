<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Filament\Resources\Resource;
use Flagstone\Laravel\Integrations\GuardsFilament;

final class PortalResource extends Resource
{
    use GuardsFilament;

    protected static function feature(): string
    {
        return 'portal';
    }
}
