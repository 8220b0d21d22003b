<?php

declare(strict_types=1);

namespace Bench;

use Illuminate\Foundation\Http\Kernel;

/**
 * Without global middleware, and so with or without the package alike.
 */
final class HttpKernel extends Kernel
{
}
