<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Http\Request;

/**
 * "user:company_id": an attribute of the signed-in user. The company's own attributes come from the relation of that
 * name ("company"), which is loaded only for a flag that reads attributes.
 */
final class UserResolver implements SubjectResolver
{
    public function __construct(private readonly string $attribute)
    {
    }

    public function resolve(Request $request): ?Subject
    {
        $user = $request->user();

        return $user === null ? null : $this->of($user);
    }

    /** The subject that this user asks for. */
    public function of(object $user): Subject
    {
        return new Subject(
            Company::key($user->{$this->attribute} ?? null),
            fn (): array => Context::of($this->company($user), $user),
            true,
        );
    }

    private function company(object $user): mixed
    {
        $relation = \str_ends_with($this->attribute, '_id') ? \substr($this->attribute, 0, -3) : $this->attribute;
        $relation = \lcfirst(\str_replace('_', '', \ucwords($relation, '_')));

        return \method_exists($user, $relation) ? $user->{$relation} : null;
    }
}
