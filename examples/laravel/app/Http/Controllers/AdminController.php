<?php

declare(strict_types=1);

namespace App\Http\Controllers;

use App\Models\Company;
use Flagstone\Laravel\Facades\Flagstone;
use Illuminate\Contracts\View\View;

/**
 * For the staff: which companies have the portal, and why. Open whatever the flag says.
 */
class AdminController
{
    public function companies(): View
    {
        return view('admin', ['answers' => Company::query()->orderBy('id')->get()->map(
            static fn (Company $company): array => Flagstone::for($company)->explain('customer_portal'),
        )]);
    }
}
