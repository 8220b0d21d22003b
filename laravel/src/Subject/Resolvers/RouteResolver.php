<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Closure;
use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Value;
use Illuminate\Container\Container;
use Illuminate\Contracts\Routing\UrlRoutable;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\ModelNotFoundException;
use Illuminate\Http\Request;
use Illuminate\Routing\CompiledRouteCollection;
use Illuminate\Routing\Route;
use Illuminate\Routing\Router;
use Illuminate\Support\Reflector;
use Illuminate\Support\Str;
use ReflectionClass;
use ReflectionMethod;
use ReflectionNamedType;
use ReflectionParameter;
use ReflectionProperty;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

/**
 * "route:company": a route parameter, either the company's key or the model bound to it.
 *
 * Flags are asked for before models are bound. A number for a model's primary key is the company's key, without a lookup.
 * Any other value, such as a slug or a UUID, is resolved to the model here, by the router's rules, and left to the route.
 */
final class RouteResolver implements SubjectResolver
{
    /** True if any route has a parameter of this name; null before the first look. */
    private ?bool $named = null;

    public function __construct(private readonly string $parameter, private readonly Router $router)
    {
    }

    public function resolve(Request $request): ?Subject
    {
        $route = $request->route();
        if ($route instanceof Route && !$route->hasParameter($this->parameter) && self::isLivewires($route)) {
            $route = $this->page($request);
            if ($route === null) {
                return Subject::unknown("a later request of a Livewire component does not tell the page, and so not {{$this->parameter}}. Ask Flagstone::for(\$company)");
            }
        }
        $company = $route instanceof Route ? $this->company($route) : null;
        if ($company instanceof Subject) {
            return $company;
        }
        if ($company === null || $company === '') {
            $problem = $route instanceof Route && !$route->hasParameter($this->parameter) ? $this->problem() : null;

            return $problem === null ? null : Subject::unknown($problem);
        }

        return new Subject(
            Company::key($company),
            static fn (): array => Context::of($company, $request->user()),
        );
    }

    /** True if the route is Livewire's own, which takes the requests of components on a page. */
    private static function isLivewires(Route $route): bool
    {
        $uses = $route->getAction('uses');

        return \is_string($uses) && \str_starts_with(\ltrim($uses, '\\'), 'Livewire\\');
    }

    /**
     * The route of the page with this request's components, as sent by Livewire 2, or 3 and 4. They run only after Livewire has
     * verified that the data is its own. Null if it is not exactly one route.
     */
    private function page(Request $request): ?Route
    {
        $sent = $request->all();
        // Livewire reads one of the two, and leaves the other unchecked.
        if (isset($sent['components'], $sent['fingerprint'])) {
            return null;
        }
        $pages = [];
        foreach (Value::items($sent, 'components') as $component) {
            $snapshot = \json_decode(Value::text($component, 'snapshot') ?? '', true);
            $pages[] = \is_array($snapshot) ? [Value::text($snapshot, 'memo', 'path'), Value::text($snapshot, 'memo', 'method')] : [null, null];
        }
        $pages = \array_unique($pages === [] ? [[Value::text($sent, 'fingerprint', 'path'), Value::text($sent, 'fingerprint', 'method')]] : $pages, \SORT_REGULAR);
        [$path, $method] = \array_values($pages)[0];
        if (\count($pages) !== 1 || $path === null) {
            return null;
        }
        try {
            return $this->router->getRoutes()->match(Request::create($request->getSchemeAndHttpHost() . '/' . \ltrim($path, '/'), $method ?? 'GET'));
        } catch (HttpExceptionInterface) {
            return null;
        }
    }

    /** Reason why no request can have it; null if one may. */
    public function problem(): ?string
    {
        return $this->isNamed() ? null : "`subject` in config/flagstone.php names route:$this->parameter, and no route has a parameter of that name";
    }

    private function company(Route $route): mixed
    {
        $value = $route->parameter($this->parameter);
        if (!\is_string($value) || $value === '') {
            return $value;
        }
        $binder = $this->router->getBindingCallback($this->parameter);
        if ($binder !== null) {
            return self::found(static fn (): mixed => $binder($value, $route));
        }
        $component = $this->component($route);
        $model = $this->model($component === null ? $route->signatureParameters(UrlRoutable::class) : self::wanted($component));
        if ($model === null || $this->isKey($model, $value, $route)) {
            return $value;
        }
        if ($route->parentOfParameter($this->parameter) !== null) {
            return $component === null ? $this->bound($route) : Subject::unknown(
                "$component binds {{$this->parameter}} below another model once its flags were asked for. Give the parameter a key of its own, or `subject` in"
                . ' config/flagstone.php a class that finds the company',
            );
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
     * The company below another model, as in /owners/{owner}/companies/{company:slug}: it depends on that model, so the router
     * binds both, by its own rules.
     */
    private function bound(Route $route): mixed
    {
        return self::found(function () use ($route): mixed {
            $this->router->substituteBindings($route);
            $this->router->substituteImplicitBindings($route);

            return $route->parameter($this->parameter);
        });
    }

    /**
     * The router's result; null if there is none. The route finds none either, and answers by its missing(), or 404.
     *
     * @param Closure(): mixed $find
     */
    private static function found(Closure $find): mixed
    {
        try {
            return $find();
        } catch (ModelNotFoundException) {
            return null;
        }
    }

    /** True if any route has the parameter. Reads cached routes as arrays: turning them into objects takes milliseconds. */
    private function isNamed(): bool
    {
        return $this->named ??= (function (): bool {
            $routes = $this->router->getRoutes();
            $cached = $routes instanceof CompiledRouteCollection
                ? Closure::bind(static fn (CompiledRouteCollection $of): array => $of->attributes, null, CompiledRouteCollection::class)($routes)
                : [];
            foreach ($cached as $route) {
                $texts = [$route['uri'] ?? '', $route['action']['domain'] ?? ''];
                if (isset($route['defaults'][$this->parameter]) || $this->names(...$texts)) {
                    return true;
                }
            }
            foreach ($cached === [] ? $routes->getRoutes() : [] as $route) {
                if (isset($route->defaults[$this->parameter]) || $this->names($route->uri(), (string) $route->getDomain())) {
                    return true;
                }
            }

            return false;
        })();
    }

    private function names(string ...$texts): bool
    {
        foreach (['}', '?}', ':'] as $end) {
            if (\str_contains(\implode(' ', $texts), '{' . $this->parameter . $end)) {
                return true;
            }
        }

        return false;
    }

    /**
     * The Livewire component that is the whole page. Its action has no parameters: it binds its properties, and those of its mount().
     *
     * @return ?class-string
     */
    private function component(Route $route): ?string
    {
        $uses = $route->getAction('uses');
        $class = \is_string($uses) ? Str::before($uses, '@') : '';

        return $class !== '' && \is_subclass_of($class, 'Livewire\Component') ? $class : null;
    }

    /**
     * @param class-string $component
     * @return list<ReflectionParameter|ReflectionProperty> parameters and properties in the order of their binding
     */
    private static function wanted(string $component): array
    {
        return [
            ...\method_exists($component, 'mount') ? (new ReflectionMethod($component, 'mount'))->getParameters() : [],
            ...(new ReflectionClass($component))->getProperties(ReflectionProperty::IS_PUBLIC),
        ];
    }

    /**
     * The model that the parameter becomes; null if it becomes none.
     *
     * @param array<array-key, mixed> $parameters of the route's action
     */
    private function model(array $parameters): ?UrlRoutable
    {
        foreach ($parameters as $parameter) {
            if (!$parameter instanceof ReflectionParameter && !$parameter instanceof ReflectionProperty
                || !\in_array($this->parameter, [$parameter->getName(), Str::snake($parameter->getName())], true)) {
                continue;
            }
            $type = $parameter->getType();
            $class = $parameter instanceof ReflectionParameter ? Reflector::getParameterClassName($parameter) : null;
            $class ??= $type instanceof ReflectionNamedType && !$type->isBuiltin() ? $type->getName() : null;
            if ($class !== null && \is_subclass_of($class, UrlRoutable::class)) {
                $model = Container::getInstance()->make($class);

                return $model instanceof UrlRoutable ? $model : null;
            }
        }

        return null;
    }

    /**
     * True if the parameter is the key that the model would give as its company.
     *
     * A database also finds the company 7 for "07", "7.0" and " 7", and "acme" for "ACME". Only an integer in PHP's own notation
     * needs no lookup.
     */
    private function isKey(UrlRoutable $model, string $value, Route $route): bool
    {
        return $model instanceof Model
            && $model->getKeyType() === 'int' && (string) (int) $value === $value
            && ($route->bindingFieldFor($this->parameter) ?? $model->getRouteKeyName()) === $model->getKeyName()
            && !\method_exists($model, 'flagstoneCompany')
            && self::isPlain($model);
    }

    /** True if the model is found by its key and returns it like any other: it overrides none of the methods involved. */
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
