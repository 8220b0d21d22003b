<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;

/** A resolver of the application that goes by another guard than the default one. */
final class OtherGuardsCompany implements SubjectResolver
{
    public function resolve(Request $request): ?Subject
    {
        return new Subject(Auth::guard('other')->user()?->company_id);
    }
}
