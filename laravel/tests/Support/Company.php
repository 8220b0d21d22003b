<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Models\HasFeatures;
use Illuminate\Database\Eloquent\Model;

/**
 * @property int $id
 * @property ?string $plan
 */
final class Company extends Model
{
    use HasFeatures;

    /** How often its attributes were asked for. */
    public static int $asked = 0;

    protected $guarded = [];

    /** @return array<string, mixed> */
    public function flagstoneContext(): array
    {
        self::$asked++;

        return ['plan' => $this->plan];
    }
}
