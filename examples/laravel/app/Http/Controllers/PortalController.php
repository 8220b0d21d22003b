<?php

declare(strict_types=1);

namespace App\Http\Controllers;

use Illuminate\Contracts\View\View;
use Illuminate\Http\Request;

/**
 * The customer portal. It knows nothing of the flag; its routes do.
 */
class PortalController
{
    public function show(Request $request): View
    {
        return view('portal', ['company' => $request->user()->company]);
    }

    public function invoice(Request $request, int $invoice): View
    {
        return view('invoice', ['company' => $request->user()->company, 'invoice' => $invoice]);
    }
}
