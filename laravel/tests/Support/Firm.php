<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Database\Eloquent\Model;

/**
 * A company with a plan.
 *
 * @property string|null $plan
 */
final class Firm extends Model
{
    protected $guarded = [];

    /** @return array<string, mixed> */
    public function flagstoneContext(): array
    {
        return ['plan' => $this->plan];
    }
}
