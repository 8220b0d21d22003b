<?php

declare(strict_types=1);

namespace Laravel\Octane;

use Illuminate\Support\ServiceProvider;

/**
 * Stands for Octane's, by which this package knows that Octane is there.
 */
final class OctaneServiceProvider extends ServiceProvider
{
}
