<?php

/**
 * Measures, in the booted example application, what each kind of flag adds to a request.
 *
 *     php measure.php APPLICATION ROUNDS [MARIADB-SOCKET]
 *
 * Every round sends one request of each kind, in another order each time, through the router; the medians are compared
 * with the same route's without a flag. "handle()" is the middleware alone, on 50 fresh requests in turn; "again" on those
 * 50 once more, when it is known who asks, as for every further question of a request.
 */

declare(strict_types=1);

use App\Models\User;
use Bench\CompanyMiddleware;
use Bench\ConfigMiddleware;
use Bench\FeatureFlagService;
use Bench\TableMiddleware;
use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Http\BeforeLogin;
use Flagstone\Laravel\Http\CheckFeatureFlag;
use Flagstone\Laravel\Http\Refusal;
use Flagstone\Laravel\Http\RouteFlags;
use Flagstone\Laravel\Subject\Subjects;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Routing\Middleware\SubstituteBindings;
use Illuminate\Routing\Router;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;
use Illuminate\Database\Schema\Blueprint;

[, $base, $rounds] = $argv;
require "$base/bootstrap/autoload.php";
foreach (['CompanyMiddleware', 'ConfigMiddleware', 'FeatureFlagService', 'TableMiddleware'] as $class) {
    require __DIR__ . "/$class.php";
}
/** @var Application $app */
$app = require "$base/bootstrap/app.php";
$app->make(Kernel::class)->bootstrap();
$app->make('config')->set([
    'features.customer_portal' => true,
    'features.customer_portal_test_companies' => [7, 42, 15],
    'features.customer_api' => true,
    'features.customer_api_test_companies' => range(1000, 1, -1),
    'database.connections.mariadb' => [
        'driver' => 'mysql', 'unix_socket' => $argv[3] ?? '', 'host' => 'localhost', 'database' => 'bench',
        'username' => 'root', 'password' => '', 'prefix' => '', 'charset' => 'utf8mb4', 'collation' => 'utf8mb4_general_ci',
    ],
    'cache.stores.array' => ['driver' => 'array'],
]);

$connections = isset($argv[3]) ? ['sqlite', 'mariadb'] : ['sqlite'];
foreach ($connections as $connection) {
    $schema = Schema::connection($connection);
    $schema->dropIfExists('feature_flags');
    $schema->dropIfExists('feature_flag_overrides');
    $schema->create('feature_flags', function (Blueprint $table): void {
        $table->string('name', 100)->primary();
        $table->boolean('enabled');
        $table->integer('percentage');
    });
    $schema->create('feature_flag_overrides', function (Blueprint $table): void {
        $table->string('feature', 100);
        $table->unsignedBigInteger('company_id');
        $table->boolean('enabled');
        $table->primary(['feature', 'company_id']);
    });
    $rows = array_map(fn (int $n): array => ['name' => "flag_$n", 'enabled' => true, 'percentage' => $n], range(1, 50));
    DB::connection($connection)->table('feature_flags')->insert([['name' => 'customer_portal', 'enabled' => true, 'percentage' => 50], ...$rows]);
    DB::connection($connection)->table('feature_flag_overrides')->insert(['feature' => 'customer_portal', 'company_id' => 15, 'enabled' => true]);
}

$kinds = [
    'no flag' => null,
    'no flag, only $request->user()->company_id' => CompanyMiddleware::class,
    'feature:customer_portal, long-lived (Octane)' => 'feature:customer_portal',
    'feature:customer_portal, as in php-fpm' => 'feature:customer_portal',
    'config() and in_array() on 3 companies' => ConfigMiddleware::class . ':customer_portal',
    'config() and in_array() on 1,000, half-way' => ConfigMiddleware::class . ':customer_api',
    'tables through the cache, in memory' => TableMiddleware::class . ':customer_portal,sqlite,array',
    'tables through the cache, in files' => TableMiddleware::class . ':customer_portal,sqlite,file',
    'tables in SQLite' => TableMiddleware::class . ':customer_portal,sqlite',
    'tables in MariaDB' => TableMiddleware::class . ':customer_portal,mariadb',
];
if (!isset($argv[3])) {
    unset($kinds['tables in MariaDB']);
}
$FPM = 'feature:customer_portal, as in php-fpm';

/** @var Router $router */
$router = $app->make(Router::class);
$page = new Response('page');
$paths = [];
foreach ($kinds as $name => $middleware) {
    $path = '/bench-' . count($paths);
    $paths[$name] = $path;
    $router->get($path, static fn (): Response => $page)
        ->middleware(array_values(array_filter([SubstituteBindings::class, $middleware])));
}
// What a php-fpm request makes anew.
$anew = static function () use ($app): void {
    foreach ([Flagstone::class, Subjects::class, CheckFeatureFlag::class, Refusal::class, RouteFlags::class, BeforeLogin::class] as $class) {
        $app->forgetInstance($class);
    }
};
// One of the half-way company of the list of 1,000 where that is asked, else 15, for whom all say on.
$users = ['config() and in_array() on 1,000, half-way' => new User(['id' => 7, 'company_id' => 500])];
$fifteen = new User(['id' => 7, 'company_id' => 15]);
$make = static function (string $name) use ($app, $paths, $users, $fifteen): Request {
    $app->make('auth')->setUser($users[$name] ?? $fifteen);
    // Gives it the signed-in user, too.
    $app->instance('request', $request = Request::create($paths[$name]));

    return $request;
};
$median = static function (array $times): float {
    sort($times);

    return $times[intdiv(count($times), 2)];
};

$whole = [];
$order = array_keys($kinds);
for ($round = -50; $round < (int) $rounds; $round++) {
    shuffle($order);
    foreach ($order as $name) {
        $request = $make($name);
        if ($name === $FPM) {
            $anew();
        }
        $began = hrtime(true);
        $response = $router->dispatch($request);
        $took = hrtime(true) - $began;
        if ($response->getStatusCode() !== 200) {
            throw new RuntimeException("$name: status {$response->getStatusCode()}");
        }
        if ($round >= 0) {
            $whole[$name][] = $took;
        }
    }
}

// The middleware alone, less one that only goes on.
$next = static fn (Request $request): Response => $page;
$nothing = new class () {
    public function handle(Request $request, Closure $next, string ...$more): mixed
    {
        return $next($request);
    }
};
$own = [];
for ($round = -3; $round < (int) $rounds / 20; $round++) {
    shuffle($order);
    foreach ($order as $name) {
        if ($name === $FPM) {
            continue;
        }
        [$class, $parameters] = explode(':', $kinds[$name] ?? 'none', 2) + [1 => ''];
        $parameters = $parameters === '' ? [] : explode(',', $parameters);
        $middleware = match ($class) {
            'none' => $nothing,
            'feature' => $app->make(CheckFeatureFlag::class),
            default => $app->make($class),
        };
        $requests = [];
        for ($n = 0; $n < 50; $n++) {
            $requests[] = $request = $make($name);
            $route = $router->getRoutes()->match($request);
            $request->setRouteResolver(static fn () => $route);
        }
        foreach (['first', 'again'] as $time) {
            $began = hrtime(true);
            foreach ($requests as $request) {
                $middleware->handle($request, $next, ...$parameters);
            }
            $took = (hrtime(true) - $began) / 50;
            if ($round >= 0) {
                $own[$time][$name][] = $took;
            }
        }
    }
}

// What it costs to boot the package at all, as php-fpm does at each request.
$config = $app->make('config')->all();
$application = static fn (): Application => require "$base/bootstrap/app.php";
$_ENV['APP_RUNNING_IN_CONSOLE'] = $_SERVER['APP_RUNNING_IN_CONSOLE'] = 'false';
$boots = ['with' => [], 'without' => []];
for ($round = -5; $round < 100; $round++) {
    foreach (array_keys($boots) as $name) {
        $other = $application();
        $providers = $config['app']['providers'];
        if ($name === 'without') {
            $providers = array_values(array_diff($providers, [\Flagstone\Laravel\FlagstoneServiceProvider::class]));
        }
        $other->instance('config', new Illuminate\Config\Repository(['app' => ['providers' => $providers] + $config['app']] + $config));
        Illuminate\Support\Facades\Facade::clearResolvedInstances();
        Illuminate\Support\Facades\Facade::setFacadeApplication($other);
        // Each its own manifest of deferred providers.
        $_ENV['APP_SERVICES_CACHE'] = $_SERVER['APP_SERVICES_CACHE'] = "$base/bootstrap/cache/services-$name.php";
        $began = hrtime(true);
        $other->registerConfiguredProviders();
        $other->boot();
        $took = hrtime(true) - $began;
        if ($round >= 0) {
            $boots[$name][] = $took;
        }
    }
}

$plain = $median($whole['no flag']);
$added = static fn (string $time, string $name): ?float => isset($own[$time][$name])
    ? ($median($own[$time][$name]) - $median($own[$time]['no flag'])) / 1000
    : null;
$cell = static fn (string $format, ?float $value): string => $value === null ? '' : sprintf($format, $value);
printf("%-46s %10s %10s %10s %12s\n", 'µs that it adds to a request, medians', 'whole', 'handle()', 'again', 'ours, again');
foreach (array_diff(array_keys($kinds), ['no flag']) as $name) {
    $again = $added('again', $name);
    printf(
        "%-46s %10.2f %10s %10s %12s\n",
        $name,
        ($median($whole[$name]) - $plain) / 1000,
        $cell('%.2f', $added('first', $name)),
        $cell('%.2f', $again),
        $cell('%.1f x', $again === null ? null : $again / $added('again', 'feature:customer_portal, long-lived (Octane)')),
    );
}
printf("the route without a flag: %.1f µs through the router\n", $plain / 1000);
printf(
    "booting the package, which php-fpm does at each request: %.0f µs of %.0f\n",
    ($median($boots['with']) - $median($boots['without'])) / 1000,
    $median($boots['with']) / 1000,
);
