<?php

declare(strict_types=1);

namespace Bench;

use Illuminate\Http\Request;
use Illuminate\Http\Response;

/**
 * A page for whoever is signed in.
 */
final class PageController
{
    public function show(Request $request): Response
    {
        return new Response('page of company ' . $request->user()->company_id);
    }
}
