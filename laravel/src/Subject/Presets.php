<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Subject\Resolvers\RouteResolver;
use Flagstone\Laravel\Subject\Resolvers\TenantResolver;
use Flagstone\Laravel\Subject\Resolvers\UserResolver;
use Illuminate\Contracts\Container\Container;
use Illuminate\Routing\Router;
use Illuminate\Support\Str;

/**
 * Makes the resolvers that `subject` in config/flagstone.php names.
 *
 * @internal
 */
final class Presets
{
    public function __construct(private readonly Container $container)
    {
    }

    /**
     * @param string|list<string> $names
     * @return list<SubjectResolver>
     * @throws InvalidSetting for a name that is neither a preset nor a resolver's class
     */
    public function make(string|array $names): array
    {
        return \array_map($this->one(...), \array_values((array) $names));
    }

    private function one(string $name): SubjectResolver
    {
        $preset = Str::before($name, ':');
        // An environment variable that is not set leaves "user:", which is "user".
        $argument = \str_contains($name, ':') ? Str::after($name, ':') : '';
        $isBlank = \trim($argument) === '';
        $made = \is_subclass_of($name, SubjectResolver::class) ? $this->container->make($name) : null;

        return match (true) {
            $preset === 'user' => new UserResolver($isBlank ? 'company_id' : $argument),
            $preset === 'route' => new RouteResolver($isBlank ? 'company' : $argument, $this->container->make(Router::class)),
            $preset === 'header' && $name !== 'header' => TenantResolver::header($argument),
            $name === 'tenancy' => TenantResolver::tenancy(),
            $name === 'spatie' => TenantResolver::spatie(),
            $name === 'filament' => TenantResolver::filament(),
            $made instanceof SubjectResolver => $made,
            default => throw new InvalidSetting(
                "config/flagstone.php: subject names \"$name\", expected user:ATTRIBUTE, tenancy, spatie, filament,"
                . ' route:PARAMETER, header:NAME or a class that implements ' . SubjectResolver::class,
            ),
        };
    }
}
