<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

/** An enum without values. */
enum Channel
{
    case Mail;
}
