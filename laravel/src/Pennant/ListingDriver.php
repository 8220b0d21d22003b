<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Pennant;

use Laravel\Pennant\Contracts\CanListStoredFeatures;

/**
 * The driver for a Pennant that lists stored features.
 */
class ListingDriver extends FlagstoneDriver implements CanListStoredFeatures
{
}
