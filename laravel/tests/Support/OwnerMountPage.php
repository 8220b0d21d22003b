<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Livewire\Component;

/** A page that is a component, which binds its owner as mount() wants it. */
final class OwnerMountPage extends Component
{
    private Owner $found;

    public function mount(Owner $owner): void
    {
        $this->found = $owner;
    }

    public function render(): string
    {
        return "owner {$this->found->id} " . (Flagstone::enabled('pilot') ? 'on' : 'off');
    }
}
