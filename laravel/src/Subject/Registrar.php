<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;

/**
 * Finds out anew who is asking when somebody signs in or out.
 *
 * @internal
 */
final class Registrar
{
    private const CHANGES = [
        'Illuminate\Auth\Events\Authenticated',
        'Illuminate\Auth\Events\Login',
        'Illuminate\Auth\Events\Logout',
        'Illuminate\Auth\Events\CurrentDeviceLogout',
    ];

    public function register(Application $app): void
    {
        $app->make('events')->listen(self::CHANGES, self::forget(...));
    }

    public static function forget(): void
    {
        // Where nobody has asked yet there is nothing to forget.
        $app = Container::getInstance();
        if ($app->resolved(Subjects::class)) {
            $app->make(Subjects::class)->forget();
        }
    }
}
