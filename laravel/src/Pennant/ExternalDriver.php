<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Laravel\Pennant\Contracts\DefinesFeaturesExternally;

/**
 * The driver for a Pennant that asks drivers for features defined elsewhere: 1.13 and later.
 */
final class ExternalDriver extends ListingDriver implements DefinesFeaturesExternally
{
}
