<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Foundation\Auth\User as Authenticatable;

/** A user whose plan rules may read. */
final class Member extends Authenticatable
{
    protected $guarded = [];

    /** @return array<string, mixed> */
    public function flagstoneContext(): array
    {
        return ['plan' => $this->getAttribute('plan')];
    }
}
