<?php

declare(strict_types=1);

namespace App\Models;

use Illuminate\Database\Eloquent\Relations\BelongsTo;
use Illuminate\Foundation\Auth\User as Authenticatable;

/**
 * @property int $company_id asked of Flagstone by the preset "user:company_id"
 * @property bool $admin
 */
class User extends Authenticatable
{
    public $timestamps = false;

    protected $guarded = [];

    protected $casts = ['company_id' => 'integer', 'admin' => 'boolean'];

    public function company(): BelongsTo
    {
        return $this->belongsTo(Company::class);
    }
}
