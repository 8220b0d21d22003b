<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Resolvers\RouteResolver;
use Flagstone\Laravel\Subject\Resolvers\TenantResolver;
use Flagstone\Laravel\Subject\Resolvers\UserResolver;

/**
 * The source that a resolver reads, which decides which events change its answer.
 *
 * @internal
 */
final class Source
{
    public const USER = 'user';
    public const TENANT = 'tenant';
    public const REQUEST = 'request';
    /** A class of the application: any event may change it. */
    public const ANY = 'any';

    public static function of(SubjectResolver $resolver): string
    {
        return match (true) {
            $resolver instanceof UserResolver => self::USER,
            $resolver instanceof TenantResolver => $resolver->isHeader() ? self::REQUEST : self::TENANT,
            $resolver instanceof RouteResolver => self::REQUEST,
            default => self::ANY,
        };
    }
}
