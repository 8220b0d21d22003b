<?php

declare(strict_types=1);

namespace App;

use Illuminate\Foundation\Console\Kernel;

class ConsoleKernel extends Kernel
{
    protected function commands(): void
    {
        require $this->app->basePath('routes/console.php');
    }
}
