<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Closure;
use Illuminate\Http\Request;

/** Answers as the check of a form's token does when the session has ended. */
final class PageExpired
{
    public function handle(Request $request, Closure $next): mixed
    {
        \abort(419);
    }
}
