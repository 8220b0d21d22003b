<?php

/**
 * Stands in for the example's public/index.php while php-fpm is measured: says how much of the processor's time PHP took from here to the response.
 *
 * /KIND/WITH: which middleware guards the page, and "with" or "without" the package. /KIND/WITH/learn notes which classes that takes.
 */

declare(strict_types=1);

namespace Bench;

use App\Models\User;
use Illuminate\Auth\Middleware\Authenticate;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Route;
use ReflectionClass;

/** Processor time, so that what else the machine does plays a smaller part. */
function microseconds(): int
{
    $usage = \getrusage();

    return 1_000_000 * ($usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec']) + $usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec'];
}

$began = microseconds();

const MIDDLEWARE = [
    'plain' => [],
    'nothing' => [NothingMiddleware::class],
    'feature' => ['feature:customer_portal'],
    'config' => [ConfigMiddleware::class . ':customer_portal'],
];

$base = \dirname(__DIR__);
[, $kind, $with, $learn] = \explode('/', $_SERVER['REQUEST_URI']) + [3 => ''];
$_SERVER['APP_CONFIG_CACHE'] = $_ENV['APP_CONFIG_CACHE'] = "$base/bootstrap/cache/config-$with.php";
$_SERVER['APP_SERVICES_CACHE'] = $_ENV['APP_SERVICES_CACHE'] = "$base/bootstrap/cache/services-$with.php";

// As Composer's optimised autoloader: one map of classes.
$map = $learn === '' ? require "$base/storage/classes.php" : [];
\spl_autoload_register(static function (string $class) use ($map, $base): void {
    if (isset($map[$class])) {
        require $map[$class];
    } elseif (\str_starts_with($class, 'Bench\\')) {
        require "$base/bench/" . \substr($class, 6) . '.php';
    }
});
require "$base/bootstrap/autoload.php";
$app = require "$base/bootstrap/app.php";
$app->singleton(Kernel::class, HttpKernel::class);
$app->booted(static function () use ($kind): void {
    Auth::viaRequest('bench', static fn (): User => new User(['id' => 7, 'company_id' => 15]));
    Route::get('/{kind}/{with}/{learn?}', [PageController::class, 'show'])->middleware([Authenticate::class, ...MIDDLEWARE[$kind]]);
});
$response = $app->make(Kernel::class)->handle(Request::capture());
\header('X-Microseconds: ' . (microseconds() - $began));
$response->send();

if ($learn !== '') {
    $file = "$base/storage/classes.php";
    $map = \is_file($file) ? require $file : [];
    foreach ([...\get_declared_classes(), ...\get_declared_interfaces(), ...\get_declared_traits()] as $class) {
        $path = (new ReflectionClass($class))->getFileName();
        if ($path !== false && !\str_contains($class, '@anonymous')) {
            $map[$class] = $path;
        }
    }
    \file_put_contents($file, '<?php return ' . \var_export($map, true) . ';');
    \opcache_invalidate($file, true);
}
