<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject\Resolvers;

use Closure;
use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Company;
use Flagstone\Laravel\Subject\Context;
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
    /** Characters of a header's name (RFC 9110, section 5.6.2): no request has any other. */
    private const HEADER = '/^[!#$%&\'*+.^_`|~0-9A-Za-z-]+$/D';

    /**
     * @param Closure(Request): mixed $tenant a model, a key or null
     * @param ?string $provider service provider of the package that finds it
     * @param ?string $service name in the container that the package registers
     * @param ?string $header name of the request header
     */
    private function __construct(
        private readonly Closure $tenant,
        private readonly ?string $provider = null,
        private readonly ?string $service = null,
        private readonly ?string $header = null,
    ) {
    }

    public function isHeader(): bool
    {
        return $this->header !== null;
    }

    /** Reason why no tenant can be found; null if one may. */
    public function problem(): ?string
    {
        $setting = '`subject` in config/flagstone.php names';

        return match (true) {
            $this->header !== null => \preg_match(self::HEADER, $this->header) === 1 ? null : "$setting header:$this->header, expected header:NAME, such as header:X-Company",
            $this->provider !== null && !\class_exists($this->provider) => "$setting a tenant of $this->provider, which is not installed",
            $this->service !== null && !Container::getInstance()->bound($this->service) => "$setting a tenant of $this->provider, which is not registered",
            default => null,
        };
    }

    /** The tenant of stancl/tenancy. */
    public static function tenancy(): self
    {
        $service = 'Stancl\Tenancy\Tenancy';

        return new self(static fn (): mixed => \data_get(self::bound($service), 'tenant'), 'Stancl\Tenancy\TenancyServiceProvider', $service);
    }

    /** The tenant of spatie/laravel-multitenancy. */
    public static function spatie(): self
    {
        return new self(static fn (): mixed => self::bound(
            Value::text(self::all(), 'multitenancy', 'current_tenant_container_key') ?? 'currentTenant',
        ), 'Spatie\Multitenancy\MultitenancyServiceProvider');
    }

    /** The tenant of Filament's current panel. */
    public static function filament(): self
    {
        return new self(static fn (): mixed => self::ofPanel(self::bound('filament')), 'Filament\FilamentServiceProvider', 'filament');
    }

    /** The tenant that a request header names. */
    public static function header(string $name): self
    {
        return new self(static fn (Request $request): mixed => $request->headers->get($name), null, null, $name);
    }

    /** The tenant of a package, which no request decides. */
    public function current(): mixed
    {
        return ($this->tenant)(new Request());
    }

    public function resolve(Request $request): ?Subject
    {
        $tenant = ($this->tenant)($request);
        if ($tenant === null || $tenant === '') {
            // A package that is missing leaves the question to the next source; a header without a name was meant to have one.
            $problem = $this->isHeader() ? $this->problem() : null;

            return $problem === null ? null : Subject::unknown($problem);
        }

        return new Subject(
            Company::key($tenant),
            static fn (): array => Context::of($tenant, $request->user()),
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
