<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Container\Container;
use Illuminate\Http\Request;

/**
 * "user:company_id": an attribute of the signed-in user. The company's own attributes come from the relation of that
 * name ("company"), which is loaded only for a flag that reads attributes, and if its model has any to give.
 */
final class UserResolver implements SubjectResolver
{
    public function __construct(private readonly string $attribute)
    {
    }

    public function resolve(Request $request): ?Subject
    {
        // A console's request, and so a test's before its first own, does not know who is signed in.
        $user = $request->user() ?? ($request->route() === null ? self::signedIn() : null);

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

    private static function signedIn(): ?object
    {
        $app = Container::getInstance();

        return $app->bound('auth') ? $app->make('auth')->guard()->user() : null;
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
