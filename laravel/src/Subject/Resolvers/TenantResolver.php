<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Closure;
use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
use Flagstone\Laravel\Subject\SignedIn;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Laravel\Value;
use Illuminate\Config\Repository;
use Illuminate\Container\Container;
use Illuminate\Http\Request;

/**
 * The tenant found by another package, or a gateway. This class loads without those packages.
 */
final class TenantResolver implements SubjectResolver
{
    /**
     * @param Closure(Request): mixed $tenant a model, a key or null
     * @param ?string $provider service provider of the package that finds it
     */
    private function __construct(private readonly Closure $tenant, public readonly bool $isHeader = false, private readonly ?string $provider = null)
    {
    }

    /** Reason why no tenant can be found; null if one may. */
    public function problem(): ?string
    {
        return $this->provider === null || \class_exists($this->provider) ? null : "`subject` in config/flagstone.php names a tenant of $this->provider, which is not installed";
    }

    /** The tenant of stancl/tenancy. */
    public static function tenancy(): self
    {
        return new self(static fn (): mixed => \data_get(self::bound('Stancl\Tenancy\Tenancy'), 'tenant'), false, 'Stancl\Tenancy\TenancyServiceProvider');
    }

    /** The tenant of spatie/laravel-multitenancy. */
    public static function spatie(): self
    {
        return new self(static fn (): mixed => self::bound(
            Value::text(self::all(), 'multitenancy', 'current_tenant_container_key') ?? 'currentTenant',
        ), false, 'Spatie\Multitenancy\MultitenancyServiceProvider');
    }

    /** The tenant of Filament's current panel. */
    public static function filament(): self
    {
        return new self(static fn (): mixed => self::ofPanel(self::bound('filament')), false, 'Filament\FilamentServiceProvider');
    }

    /** The tenant that a request header names. */
    public static function header(string $name): self
    {
        return new self(static fn (Request $request): mixed => $request->headers->get($name), true);
    }

    public function resolve(Request $request): ?Subject
    {
        $tenant = ($this->tenant)($request);
        if ($tenant === null || $tenant === '') {
            return null;
        }

        return new Subject(
            Company::key($tenant),
            static fn (): array => Context::of($tenant, SignedIn::asked($request)),
        );
    }

    /** @return array<array-key, mixed> the configuration */
    private static function all(): array
    {
        $config = self::bound('config');

        return $config instanceof Repository ? $config->all() : [];
    }

    private static function ofPanel(mixed $filament): mixed
    {
        return \is_object($filament) && \method_exists($filament, 'getTenant') ? $filament->getTenant() : null;
    }

    private static function bound(string $abstract): mixed
    {
        $app = Container::getInstance();

        return $app->bound($abstract) ? $app->make($abstract) : null;
    }
}
