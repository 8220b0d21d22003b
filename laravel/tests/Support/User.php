<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Foundation\Auth\User as Authenticatable;

/**
 * @property int $id
 * @property int|string|null $company_id
 */
class User extends Authenticatable
{
    protected $guarded = [];
}
