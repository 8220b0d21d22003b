<?php

/**
 * Is included by the file `artisan` of an application, which names its `$folder` and its `$store`.
 */

declare(strict_types=1);

use Flagstone\Laravel\Tests\Support\Skeleton;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Foundation\Application;
use Symfony\Component\Console\Input\ArgvInput;
use Symfony\Component\Console\Output\ConsoleOutput;

require_once __DIR__ . '/../bootstrap.php';
foreach (['Illuminate\Support\Defer\DeferredCallbackCollection' => 'defer', 'Illuminate\Concurrency\ConcurrencyManager' => 'concurrency'] as $class => $double) {
    if (!\class_exists($class)) {
        require_once __DIR__ . "/../doubles/$double.php";
    }
}

$app = Skeleton::boot(static function (Application $app) use ($store): void {
    $app->make('config')->set('flagstone', [
        'driver' => \extension_loaded('flagstone') ? 'native' : 'store', 'store' => $store,
    ]);
}, folder: $folder);
$kernel = $app->make(Kernel::class);
if ($argv[1] === 'invoke-serialized-closure' && !isset($kernel->all()[$argv[1]])) {
    // As Laravel 11 and later do.
    $task = \unserialize((string) \base64_decode((string) $_SERVER['LARAVEL_INVOKABLE_CLOSURE'], true));
    echo \json_encode(['successful' => true, 'result' => \serialize($app->call($task))]);
    exit;
}
exit($kernel->handle(new ArgvInput(), new ConsoleOutput()));
