<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\Relations\HasMany;

/**
 * Who has several sites, whose slugs only they tell apart.
 *
 * @property int $id
 */
final class Owner extends Model
{
    protected $guarded = [];
    public $timestamps = false;

    /** @return HasMany<Site> */
    public function sites(): HasMany
    {
        return $this->hasMany(Site::class);
    }
}
