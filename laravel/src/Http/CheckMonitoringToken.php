<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Closure;
use Flagstone\Laravel\Config;
use Illuminate\Contracts\Container\Container;
use Illuminate\Http\Request;
use Symfony\Component\HttpKernel\Exception\HttpException;

/**
 * Lets through requests with the header `Authorization: Bearer TOKEN`, where TOKEN is `routes.token` of config/flagstone.php.
 */
final class CheckMonitoringToken
{
    public function __construct(private readonly Container $container)
    {
    }

    /** @throws HttpException 401 without the token */
    public function handle(Request $request, Closure $next): mixed
    {
        $token = Config::of($this->container)->text('routes.token') ?? '';
        if ($token === '' || !\hash_equals($token, $request->bearerToken() ?? '')) {
            throw new HttpException(401, 'Unauthorized', null, ['WWW-Authenticate' => 'Bearer']);
        }

        return $next($request);
    }
}
