<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

/** A company's plan, as applications have them. */
enum Plan: string
{
    case Free = 'free';
    case Pro = 'pro';
}
