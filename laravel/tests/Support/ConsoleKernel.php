<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Foundation\Console\Kernel;

final class ConsoleKernel extends Kernel
{
}
