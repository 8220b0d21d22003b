<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Container\Container;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Http\Request;

/**
 * "user:company_id": an attribute of the signed-in user. The company's own attributes come from the relation of that
 * name ("company"), which is loaded only for a flag that reads attributes, and if its model has any to give.
 */
final class UserResolver implements SubjectResolver
{
    /** The attribute in camel case, which names an accessor of Laravel 9 and later. */
    private readonly string $camel;

    private readonly string $accessor;

    public function __construct(private readonly string $attribute)
    {
        $studly = \str_replace('_', '', \ucwords($attribute, '_'));
        $this->camel = \lcfirst($studly);
        $this->accessor = "get{$studly}Attribute";
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
            Company::key($this->attribute($user)),
            fn (): array => Context::of($this->company($user), $user),
            true,
        );
    }

    /**
     * This is on every guarded request's path, and a model takes its time: a column that nothing computes or casts is
     * read as it is.
     */
    private function attribute(object $user): mixed
    {
        if (!$user instanceof Model || !isset($user->getAttributes()[$this->attribute])) {
            return $user->{$this->attribute} ?? null;
        }
        $computed = isset($user->getCasts()[$this->attribute])
            || \method_exists($user, $this->accessor)
            || \method_exists($user, $this->camel);

        return $computed ? $user->getAttribute($this->attribute) : $user->getAttributes()[$this->attribute];
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
