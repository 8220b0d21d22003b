<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\SignedIn;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Container\Container;
use Illuminate\Contracts\Routing\UrlRoutable;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\ModelNotFoundException;
use Illuminate\Http\Request;
use Illuminate\Routing\Route;
use Illuminate\Routing\Router;
use Illuminate\Support\Reflector;
use Illuminate\Support\Str;
use ReflectionMethod;
use ReflectionParameter;

/**
 * "route:company": a route parameter, be it the company's key or the model bound to it.
 *
 * Flags are asked for before models are bound. Where the parameter is the model's primary key, a number, it is the company's and nothing
 * is looked up. Where it is something else, such as a slug or a UUID, the model is found here, as the router would, and left to the route.
 */
final class RouteResolver implements SubjectResolver
{
    public function __construct(private readonly string $parameter, private readonly Router $router)
    {
    }

    public function resolve(Request $request): ?Subject
    {
        $route = $request->route();
        $company = $route instanceof Route ? $this->company($route) : null;
        if ($company === null || $company === '') {
            return null;
        }

        return new Subject(
            Company::key($company),
            static fn (): array => Context::of($company, SignedIn::user($request)),
        );
    }

    private function company(Route $route): mixed
    {
        $value = $route->parameter($this->parameter);
        if (!\is_string($value) || $value === '') {
            return $value;
        }
        $binder = $this->router->getBindingCallback($this->parameter);
        if ($binder !== null) {
            return $binder($value, $route);
        }
        $model = $this->model($route);
        if ($model === null || $this->isKey($model, $value, $route)) {
            return $value;
        }
        if ($route->parentOfParameter($this->parameter) !== null) {
            return $this->bound($route);
        }
        $field = $route->bindingFieldFor($this->parameter);
        $trashed = $route->allowsTrashedBindings() && \method_exists($model, 'trashed');
        $found = $trashed && $model instanceof Model
            ? $model->resolveSoftDeletableRouteBinding($value, $field)
            : $model->resolveRouteBinding($value, $field);
        if ($found !== null) {
            $route->setParameter($this->parameter, $found);
        }

        return $found;
    }

    /**
     * The company below another model, as in /owners/{owner}/companies/{company:slug}: which one it is depends on that model, so the router binds
     * both, by its own rules.
     */
    private function bound(Route $route): mixed
    {
        try {
            $this->router->substituteBindings($route);
            $this->router->substituteImplicitBindings($route);
        } catch (ModelNotFoundException) {
            // The route finds none either, and answers 404.
            return null;
        }

        return $route->parameter($this->parameter);
    }

    /** What the route's action wants the parameter to be; null where that is no model. */
    private function model(Route $route): ?UrlRoutable
    {
        foreach ($route->signatureParameters(UrlRoutable::class) as $parameter) {
            if ($parameter instanceof ReflectionParameter && \in_array($this->parameter, [$parameter->getName(), Str::snake($parameter->getName())], true)) {
                $model = Container::getInstance()->make((string) Reflector::getParameterClassName($parameter));

                return $model instanceof UrlRoutable ? $model : null;
            }
        }

        return null;
    }

    /**
     * Whether the parameter is the key that the model would give as its company.
     *
     * A database finds the company 7 for "07", "7.0" and " 7" as well, and "acme" for "ACME": anything but a number as PHP writes it is looked up.
     */
    private function isKey(UrlRoutable $model, string $value, Route $route): bool
    {
        return $model instanceof Model
            && $model->getKeyType() === 'int' && (string) (int) $value === $value
            && ($route->bindingFieldFor($this->parameter) ?? $model->getRouteKeyName()) === $model->getKeyName()
            && !\method_exists($model, 'flagstoneCompany')
            && self::isPlain($model);
    }

    /** Whether the model is found by its key, and gives it, as every model does: it has none of the methods by which it could do otherwise. */
    private static function isPlain(Model $model): bool
    {
        foreach (['resolveRouteBinding', 'resolveRouteBindingQuery', 'getKey', 'getQueueableId', 'newEloquentBuilder'] as $method) {
            if (\method_exists($model, $method) && !\str_starts_with((new ReflectionMethod($model, $method))->class, 'Illuminate\\')) {
                return false;
            }
        }
        $key = $model->getKeyName();

        return !$model->hasGetMutator($key) && !(\method_exists($model, 'hasAttributeGetMutator') && $model->hasAttributeGetMutator($key))
            && !\array_key_exists($key, \array_diff_key($model->getCasts(), $model->getIncrementing() ? [$key => true] : []));
    }
}
