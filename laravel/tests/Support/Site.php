<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Database\Eloquent\Model;

/**
 * A company whose address is its slug.
 *
 * @property int $id
 * @property string $slug
 */
class Site extends Model
{
    protected $guarded = [];
    public $timestamps = false;

    public function getRouteKeyName(): string
    {
        return 'slug';
    }
}
