<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Http\Request;

/** An application's own resolver: the company that was set last. */
final class AlwaysLatest implements SubjectResolver
{
    public static ?int $company = null;

    public function resolve(Request $request): ?Subject
    {
        return self::$company === null ? null : new Subject(self::$company);
    }
}
