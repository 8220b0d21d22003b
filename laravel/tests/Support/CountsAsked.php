<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Http\Request;

/** Counts how often it was asked who is signed in. */
final class CountsAsked extends Request
{
    public int $asked = 0;

    public function user($guard = null)
    {
        ++$this->asked;

        return parent::user($guard);
    }
}
