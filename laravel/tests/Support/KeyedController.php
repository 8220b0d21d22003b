<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Routing\Controller;

/** A controller with a middleware of its own. */
final class KeyedController extends Controller
{
    public function __construct()
    {
        $this->middleware(ApiKey::class);
    }

    public function page(): string
    {
        return 'page of ' . Flagstone::subject()->company;
    }
}
