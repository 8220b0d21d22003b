<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Column;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\SignedIn;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Http\Request;

/**
 * "user:company_id": an attribute of the signed-in user. The company's own attributes come from the relation of that
 * name ("company"), which is loaded only for a flag that reads attributes, and if its model has any to give.
 */
final class UserResolver implements SubjectResolver
{
    private readonly Column $column;

    public function __construct(private readonly string $attribute)
    {
        $this->column = new Column($attribute);
    }

    public function resolve(Request $request): ?Subject
    {
        // A console's request, and so a test's before its first own, does not know who is signed in.
        $user = SignedIn::of($request) ?? ($request->route() === null ? SignedIn::inConsole() : null);

        return $user === null ? null : $this->of($user);
    }

    /** The subject that this user asks for. */
    public function of(object $user): Subject
    {
        $company = $this->column->of($user) ?? Company::key($user->{$this->attribute} ?? null);

        return new Subject($company, fn (): array => Context::of($this->company($user), $user), true);
    }

    private function company(object $user): mixed
    {
        $relation = \str_ends_with($this->attribute, '_id') ? \substr($this->attribute, 0, -3) : $this->attribute;
        $relation = \lcfirst(\str_replace('_', '', \ucwords($relation, '_')));

        if (!\method_exists($user, $relation)) {
            return null;
        }
        $query = $user->{$relation}();
        $hasNone = \is_object($query) && \method_exists($query, 'getRelated') && !Context::has($query->getRelated());

        return $hasNone ? null : $user->{$relation};
    }
}
