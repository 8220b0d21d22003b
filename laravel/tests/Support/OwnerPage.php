<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Livewire\Component;

/** A page that is a component, which binds its owner as a property. */
final class OwnerPage extends Component
{
    public Owner $owner;

    public function render(): string
    {
        return "owner {$this->owner->id} " . (Flagstone::enabled('pilot') ? 'on' : 'off');
    }
}
