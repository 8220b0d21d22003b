<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

enum Feature: string
{
    case Pilot = 'pilot';
    case Everyone = 'everyone';
}
