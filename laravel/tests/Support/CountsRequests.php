<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Routing\Middleware\ThrottleRequests;

/** A middleware made from Laravel's, as those in app/Http/Middleware are. */
final class CountsRequests extends ThrottleRequests
{
}
