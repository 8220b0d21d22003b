<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Http\Request;

/** A resolver of the application that goes by the signed-in user. */
final class UsersCompany implements SubjectResolver
{
    public static int $asked = 0;

    public function resolve(Request $request): ?Subject
    {
        self::$asked++;

        return new Subject($request->user()?->company_id);
    }
}
