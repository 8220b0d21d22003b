<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Http\Request;

/** An application's own way to the tenant of a package. */
final class SpatieCompany implements SubjectResolver
{
    public function resolve(Request $request): ?Subject
    {
        return \app()->bound('currentTenant') ? new Subject(\app('currentTenant')) : null;
    }
}
