<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Auth;

use Flagstone\Laravel\Http\Refusal;
use Illuminate\Auth\Access\Response;
use Illuminate\Container\Container;

/**
 * A denial that is a 404, for a Laravel before 9.20, whose own denials are always a 403.
 *
 * @internal
 */
final class NotFound extends Response
{
    public function __construct(private readonly string $flag)
    {
        parent::__construct(false);
    }

    /** Refuses like the middleware. */
    public function authorize(): never
    {
        $app = Container::getInstance();

        throw $app->make(Refusal::class)->exception($app->make('request'), [$this->flag]);
    }
}
