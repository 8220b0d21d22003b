<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Http\Request;

/** An application's own way to find the company. */
final class AlwaysAcme implements SubjectResolver
{
    public static int $asked = 0;

    public function resolve(Request $request): Subject
    {
        self::$asked++;

        return new Subject('acme');
    }
}
