<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Closure;
use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\SafeCall;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Auth\AuthManager;
use Illuminate\Auth\EloquentUserProvider;
use Illuminate\Auth\GenericUser;
use Illuminate\Container\Container;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Http\Request;
use ReflectionMethod;
use WeakMap;

/**
 * "user:company_id": an attribute of the signed-in user. The company's own attributes come from the relation of that name
 * ("company"), which is loaded only for a flag that reads attributes, and only if its model can have any.
 */
final class UserResolver implements SubjectResolver
{
    /** Methods by which a model may provide attributes that its row lacks, if it overrides them. */
    private const READERS = ['__get', 'getAttribute', 'getAttributeValue'];

    /** @var array<class-string, bool> true if users of a class name their company themselves */
    private array $naming = [];

    /** @var WeakMap<Model, Model> saved models that lack the attribute, and their whole rows */
    private WeakMap $rows;

    public function __construct(private readonly string $attribute)
    {
        $this->rows = new WeakMap();
    }

    public function resolve(Request $request): ?Subject
    {
        $user = $this->user($request);

        return $user === null ? null : $this->of($user);
    }

    /** The signed-in user. A console's request, and so a test's before its first own, does not know it. */
    public function user(Request $request): ?object
    {
        return self::userOf($request) ?? ($request->route() === null ? self::userOfGuard() : null);
    }

    /** The user that the request knows. */
    public static function userOf(Request $request): ?object
    {
        $user = $request->user();

        return \is_object($user) ? $user : null;
    }

    /** The user of the default guard. */
    public static function userOfGuard(): ?object
    {
        $app = Container::getInstance();

        return $app->bound('auth') ? $app->make('auth')->guard()->user() : null;
    }

    /**
     * Returns this user's subject: the company named by flagstoneCompany(), else by the attribute. The company of a user without
     * both is unknown: another model signs in, or the configuration misspells the attribute.
     */
    public function of(object $user): Subject
    {
        $company = $this->key($user);
        if ($company === null && !$this->namesItself($user) && !$this->hasAttribute($this->rows[$user] ?? $user)) {
            return Subject::unknown($this->problem($user), true);
        }

        return new Subject($company, fn (): array => Context::of($this->company($user), $user), true);
    }

    /** The company's key: the attribute, read from the user's row in the database if the user was loaded without that column. */
    public function key(object $user): int|string|null
    {
        if ($this->namesItself($user)) {
            return Company::key($user);
        }
        $key = Company::key($user->{$this->attribute} ?? null);
        if ($key === null && $user instanceof Model && $user->exists && !$this->hasAttribute($user)) {
            $row = $this->rows[$user] ??= self::whole($user);
            $key = $this->hasAttribute($row) ? Company::key($row->getAttribute($this->attribute)) : null;
        }

        return $key;
    }

    /** Reason why no user of the default guard can have it; null if they may, or if it is not known. */
    public function problemOfUsers(): ?string
    {
        $app = Container::getInstance();
        $auth = $app->bound('auth') ? $app->make('auth') : null;
        $guard = $auth instanceof AuthManager ? $auth->guard() : null;
        $provider = $guard !== null && \method_exists($guard, 'getProvider') ? $guard->getProvider() : null;
        $user = $provider instanceof EloquentUserProvider ? $provider->createModel() : null;
        if ($user === null || $this->hasAttribute($user) || \method_exists($user, 'flagstoneCompany')) {
            return null;
        }
        $columns = $user->getConnection()->getSchemaBuilder()->getColumnListing($user->getTable());

        return $columns === [] || \in_array($this->attribute, $columns, true) ? null : $this->problem($user);
    }

    private function namesItself(object $user): bool
    {
        return $this->naming[$user::class] ??= \method_exists($user, 'flagstoneCompany');
    }

    private static function whole(Model $user): Model
    {
        $row = SafeCall::or(null, static fn (): ?object => $user->newQueryWithoutScopes()->toBase()->where($user->getKeyName(), '=', $user->getKey())->first());

        return (clone $user)->setRawAttributes($row === null ? $user->getAttributes() : \get_object_vars($row));
    }

    private function problem(object $user): string
    {
        $type = \get_debug_type($user);

        return "$type has no attribute \"$this->attribute\", which `subject` in config/flagstone.php names. If $type is a company itself, give it the trait"
            . ' Flagstone\Laravel\Models\HasFeatures; if it belongs to none, a method flagstoneCompany() that returns null';
    }

    /** True if the user has the attribute: null is no company, and missing is unknown. */
    private function hasAttribute(object $user): bool
    {
        if ($user instanceof GenericUser) {
            $row = Closure::bind(static fn (GenericUser $of): array => $of->attributes, null, GenericUser::class)($user);

            return \array_key_exists($this->attribute, $row);
        }
        if (!$user instanceof Model) {
            return \property_exists($user, $this->attribute) || \method_exists($user, '__get');
        }
        if (\array_key_exists($this->attribute, $user->getAttributes())) {
            return true;
        }
        foreach (self::READERS as $reader) {
            if ((new ReflectionMethod($user, $reader))->class !== Model::class) {
                return true;
            }
        }

        return \property_exists($user, $this->attribute) || \method_exists($user, $this->attribute) || $user->hasGetMutator($this->attribute)
            || \method_exists($user, 'hasAttributeGetMutator') && $user->hasAttributeGetMutator($this->attribute)
            || $user->relationLoaded($this->attribute)
            // A cast class may compute it from other columns.
            || \class_exists(\explode(':', $user->getCasts()[$this->attribute] ?? '')[0]);
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
