<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Illuminate\Auth\Events\Authenticated;
use Illuminate\Auth\Events\Login;
use Illuminate\Auth\SessionGuard;
use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;

/**
 * Looks up the subject again after a login or logout.
 *
 * @internal
 */
final class LoginListeners
{
    private const CHANGES = [
        'Illuminate\Auth\Events\Authenticated',
        'Illuminate\Auth\Events\Login',
        'Illuminate\Auth\Events\Logout',
        'Illuminate\Auth\Events\CurrentDeviceLogout',
    ];

    public function register(Application $app): void
    {
        $app->make('events')->listen(self::CHANGES, static function (object $event): void {
            self::forget(...(self::isFound($event) ? [] : [Source::USER]));
        });
    }

    /** @param string ...$sources changed sources, by Source's names; none: only looked up */
    public static function forget(string ...$sources): void
    {
        // There is nothing to forget before the first question.
        $app = Container::getInstance();
        if ($app->resolved(Subjects::class)) {
            $app->make(Subjects::class)->forget(...$sources);
        }
    }

    /** True if a guard only looked up the user that the session, or the cookie of "remember me", names. */
    private static function isFound(object $event): bool
    {
        if (!$event instanceof Authenticated && !$event instanceof Login) {
            return false;
        }
        $guard = Container::getInstance()->make('auth')->guard($event->guard);

        return $guard instanceof SessionGuard && ($event instanceof Login ? $guard->viaRemember() : AuthState::isFound($guard, $event->user));
    }
}
