<?php

declare(strict_types=1);

namespace Stancl\Tenancy;

use Illuminate\Support\ServiceProvider;

/**
 * Stands for stancl/tenancy 3's, by which this package knows that it is there.
 */
final class TenancyServiceProvider extends ServiceProvider
{
}
