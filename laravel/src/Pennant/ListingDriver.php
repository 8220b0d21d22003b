<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Laravel\Pennant\Contracts\CanListStoredFeatures;

/**
 * The driver for a Pennant that lists what is stored.
 */
class ListingDriver extends FlagstoneDriver implements CanListStoredFeatures
{
}
