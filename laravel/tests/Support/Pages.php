<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Routing\Controller;

/** A resource's controller. */
final class Pages extends Controller
{
    public function __invoke(): string
    {
        return 'page';
    }

    public function __call($method, $parameters): string
    {
        return $method;
    }
}
