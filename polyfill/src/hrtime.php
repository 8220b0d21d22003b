<?php

declare(strict_types=1);

namespace Flagstone\Polyfill;

/** Stands in for PHP's own where disable_functions names that, by a clock that may be set. */
function hrtime(bool $asNumber): int
{
    return $asNumber ? Process::clock() * 1000 : 0;
}
