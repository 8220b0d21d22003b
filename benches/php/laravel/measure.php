<?php

/**
 * Measures, in the booted example application, what each kind of flag adds to a request.
 *
 *     php measure.php APPLICATION ROUNDS [MARIADB-SOCKET]
 *
 * Every round sends one request of each kind, in another order each time, through the router; the medians are compared
 * with the same route's without a middleware more. "handle()" is the middleware's own time, on 50 fresh requests in turn, less one that
 * does nothing; "again" on those 50 once more, when it is known who asks, as for every further question of a request.
 */

declare(strict_types=1);

use App\Models\User;
use Bench\CompanyMiddleware;
use Bench\ConfigMiddleware;
use Bench\NothingMiddleware;
use Bench\TableMiddleware;
use Flagstone\Laravel\Http\CheckFeatureFlag;
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
foreach (['CompanyMiddleware', 'ConfigMiddleware', 'FeatureFlagService', 'NothingMiddleware', 'TableMiddleware'] as $class) {
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

const OURS = 'feature:customer_portal';
const CONFIG = 'config() and in_array() on 3 companies';
const GUEST = 'feature:everyone, nobody signed in';
const HALFWAY = 'config() and in_array() on 1,000, half-way';
$kinds = [
    'none' => null,
    'one that does nothing' => NothingMiddleware::class,
    'only $request->user()->company_id' => CompanyMiddleware::class,
    OURS => 'feature:customer_portal',
    GUEST => 'feature:everyone',
    CONFIG => ConfigMiddleware::class . ':customer_portal',
    HALFWAY => ConfigMiddleware::class . ':customer_api',
    'tables through the cache, in memory' => TableMiddleware::class . ':customer_portal,sqlite,array',
    'tables through the cache, in files' => TableMiddleware::class . ':customer_portal,sqlite,file',
    'tables in SQLite' => TableMiddleware::class . ':customer_portal,sqlite',
    'tables in MariaDB' => TableMiddleware::class . ':customer_portal,mariadb',
];
if (!isset($argv[3])) {
    unset($kinds['tables in MariaDB']);
}

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
// One of the half-way company of the list of 1,000 where that is asked, else 15, for whom all say on.
$users = [HALFWAY => new User(['id' => 7, 'company_id' => 500])];
$fifteen = new User(['id' => 7, 'company_id' => 15]);
$make = static function (string $name) use ($app, $paths, $users, $fifteen): Request {
    $auth = $app->make('auth');
    $auth->forgetGuards();
    $name === GUEST ? $auth->guard() : $auth->setUser($users[$name] ?? $fifteen);
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
$nothing = new NothingMiddleware();
$own = [];
for ($round = -3; $round < (int) $rounds / 20; $round++) {
    shuffle($order);
    foreach ($order as $name) {
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

$plain = $median($whole['none']);
$added = static fn (string $time, string $name): float => ($median($own[$time][$name]) - $median($own[$time]['one that does nothing'])) / 1000;
$times = static fn (string $time, string $name): string => sprintf('%.1f x', $added($time, $name) / $added($time, OURS));
printf("%-44s %9s %9s %9s %9s %9s\n", 'µs that a middleware adds, medians', 'handle()', '', 'again', '', 'whole');
foreach (array_keys($kinds) as $name) {
    if ($name === 'none') {
        continue;
    }
    $is = $name === 'one that does nothing';
    printf(
        "%-44s %9s %9s %9s %9s %9.2f\n",
        $name,
        $is ? '' : sprintf('%.2f', $added('first', $name)),
        $is ? '' : $times('first', $name),
        $is ? '' : sprintf('%.2f', $added('again', $name)),
        $is ? '' : $times('again', $name),
        ($median($whole[$name]) - $plain) / 1000,
    );
}
printf("the route without: %.1f µs through the router\n", $plain / 1000);

$first = $added('first', OURS);
$verdict = static fn (bool $met): string => $met ? 'met' : 'not met';
printf("under 2 µs of its own: %.2f first, %s; %.2f again, %s\n", $first, $verdict($first < 2), $added('again', OURS), $verdict($added('again', OURS) < 2));
foreach (['first', 'again'] as $time) {
    $ratio = $added($time, CONFIG) / $added($time, OURS);
    printf("20 times less than config() and in_array(), %s: %.1f, %s\n", $time, $ratio, $verdict($ratio >= 20));
}
