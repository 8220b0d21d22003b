<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Foundation\Auth\User as Authenticatable;

/** A company that signs in itself, and says nothing of it to this package. */
class Login extends Authenticatable
{
    public $timestamps = false;

    protected $table = 'logins';

    protected $guarded = [];
}
