<?php

/**
 * An application behind PHP's own server: the routes of AbsentRoutes. What answers for absent paths is in WIRE_KIND, the store in
 * WIRE_STORE; with WIRE_HIDES the global middleware hides features.
 */

declare(strict_types=1);

use Flagstone\Laravel\Http\HideFeatures;
use Flagstone\Laravel\Tests\Support\AbsentRoutes;
use Flagstone\Laravel\Tests\Support\SessionUsers;
use Flagstone\Laravel\Tests\Support\Skeleton;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Foundation\Application;
use Illuminate\Http\Request;

require_once __DIR__ . '/../bootstrap.php';

$app = Skeleton::boot(static function (Application $app): void {
    $app->make('config')->set('flagstone', [
        'driver' => \extension_loaded('flagstone') ? 'native' : 'store', 'store' => (string) \getenv('WIRE_STORE'), 'unknown' => 'log',
    ]);
    $app->make('config')->set('session.driver', 'file');
    $app->make('config')->set('auth.providers.users', ['driver' => 'session-users']);
}, folder: \getenv('WIRE_STORE') . '-application');
$app->make('auth')->provider('session-users', static fn () => new SessionUsers());
// A page of the application's own that knows the user.
$views = $app->resourcePath('views/errors');
\is_dir($views) || \mkdir($views, 0755, true);
\file_put_contents("$views/404.blade.php", '@auth Hello {{ auth()->id() }} @else Log in @endauth {{ request()->route() === null ? "no route" : "a route" }}');
AbsentRoutes::add($app->make('router'), (string) \getenv('WIRE_KIND'));
$kernel = $app->make(Kernel::class);
if (\getenv('WIRE_HIDES') === '1') {
    $kernel->pushMiddleware(HideFeatures::class);
}
$request = Request::capture();
$response = $kernel->handle($request);
$response->send();
$kernel->terminate($request, $response);
