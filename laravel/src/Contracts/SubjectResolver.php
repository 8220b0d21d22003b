<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Contracts;

use Flagstone\Laravel\Subject\Subject;
use Illuminate\Http\Request;

/**
 * Finds the company that a request asks for.
 */
interface SubjectResolver
{
    /**
     * Returns the subject. Null, or a subject without a company, leaves the question to the next resolver. Subject::unknown() ends
     * it: every flag is off, since no company at all would pass every list of denied ones.
     */
    public function resolve(Request $request): ?Subject;
}
