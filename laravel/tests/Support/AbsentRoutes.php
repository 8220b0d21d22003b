<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Illuminate\Cookie\Middleware\EncryptCookies;
use Illuminate\Routing\Router;
use Illuminate\Session\Middleware\StartSession;
use Illuminate\Support\Facades\Auth;

/** Hidden routes, and what answers where there is none. */
final class AbsentRoutes
{
    public static function add(Router $router, string $kind): void
    {
        $router->get('/login/{id}', static function (string $id): string {
            Auth::loginUsingId($id);

            return 'in';
        })->middleware('web');
        $router->get('/whoami', static fn (): string => (string) Auth::id())->middleware('web');
        $page = static fn (): string => 'page';
        $verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
        $router->match($verbs, '/plain', $page)->middleware(['feature:nobody']);
        $router->match($verbs, '/pilot', $page)->middleware([EncryptCookies::class, StartSession::class, 'auth', 'feature:pilot'])->name('pilot.page');
        $router->match($verbs, '/never', $page)->middleware(['web', 'auth', 'feature:nobody']);
        $router->match($verbs, '/bound/{id}', $page)->middleware([EncryptCookies::class, StartSession::class, 'auth', 'feature:pilot']);
        $router->get('/reads', $page)->middleware([EncryptCookies::class, StartSession::class, 'auth', 'feature:pilot']);

        $home = static fn () => \response('home ' . \var_export(Auth::id(), true), 404);
        match ($kind) {
            'a fallback' => $router->fallback($home),
            'a fallback with web' => $router->fallback($home)->middleware('web'),
            'a fallback of every verb' => $router->any('{fallback}', $home)->where('fallback', '.*')->fallback(),
            'a catch-all' => $router->get('/{any}', static fn (): string => 'spa')->where('any', '.*'),
            'a catch-all with web' => $router->get('/{any}', static fn (): string => 'spa ' . Auth::id())->where('any', '.*')->middleware('web'),
            default => null,
        };
    }
}
