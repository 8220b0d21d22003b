<?php

/**
 * A production application whose store, definitions and overlay are where open_basedir keeps PHP out. Prints what came of a question and of
 * artisan commands as JSON. The driver is in OUTSIDE_DRIVER.
 */

declare(strict_types=1);

use Flagstone\Laravel\Tests\Support\Skeleton;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Foundation\Application;

require_once __DIR__ . '/../bootstrap.php';

$app = Skeleton::boot(static function (Application $app): void {
    $app['env'] = 'production';
    $app->make('config')->set('flagstone', [
        'driver' => \getenv('OUTSIDE_DRIVER') ?: null, 'store' => '/outside/store', 'file' => '/outside/flags.json', 'overlay' => '/outside/flags.local.json', 'binary' => '/outside/flagstone',
    ]);
    $app->make('config')->set('view.paths', ['/outside/views']);
    $app->make('config')->set('features', ['portal' => true]);
});
$came = ['question' => $app->make('flagstone')->enabled('portal'), 'source' => $app->make('flagstone')->driver()->status()['source']];
$kernel = $app->make(Kernel::class);
foreach ([
    'feature:list', 'feature:show portal', 'feature:doctor', 'feature:settings', 'feature:health', 'feature:routes portal', 'feature:make other', 'feature:convert config', 'feature:convert env', 'feature:reset portal',
    'feature:enable portal --yes', 'feature:publish', 'feature:kill portal --reason=x', 'feature:explain portal', 'feature:install', 'feature:stats', 'feature:history', 'feature:pull',
] as $line) {
    try {
        $came[$line] = $kernel->call("$line --no-interaction");
    } catch (Throwable $problem) {
        $came[$line] = $problem::class . ": {$problem->getMessage()}, {$problem->getFile()}:{$problem->getLine()}";
    }
}
echo \json_encode($came, \JSON_THROW_ON_ERROR);
