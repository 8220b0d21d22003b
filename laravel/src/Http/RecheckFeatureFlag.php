<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Subject\Subjects;
use Flagstone\Laravel\Warnings;
use Illuminate\Contracts\Container\Container;
use Illuminate\Http\Request;
use Illuminate\Routing\Route;

/**
 * The last middleware of a guarded route that has middleware of the application's own: if one of those signed a user in, or found
 * the tenant, after the flags were asked, they are asked again for that company before the page is made.
 *
 * @internal
 */
final class RecheckFeatureFlag
{
    public function __construct(
        private readonly CheckFeatureFlag $check,
        private readonly Subjects $subjects,
        private readonly Container $container,
    ) {
    }

    /** @throws InvalidSetting if mistakes of the configuration are exceptions */
    public function handle(Request $request, Closure $next): mixed
    {
        foreach ($this->check->asked($request) as [$company, $problem, $flags]) {
            $subject = $this->subjects->of($request, true);
            if ($subject->company === $company && $subject->problem() === $problem) {
                continue;
            }
            $route = $request->route();
            $this->container->make(Warnings::class)->askedEarly(InvalidSetting::askedEarly(
                $route instanceof Route ? $route->uri() : $request->path(),
                $company,
                $subject->company,
                $route instanceof Route ? $this->container->make(RouteFlags::class)->own($route) : [],
            ));
            $refusal = $this->check->refusal($request, $subject, $flags);
            if ($refusal !== null) {
                return $refusal();
            }
        }

        return $next($request);
    }
}
