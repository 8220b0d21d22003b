<?php

declare(strict_types=1);

namespace App;

use App\Models\User;
use Illuminate\Foundation\Support\Providers\RouteServiceProvider;
use Illuminate\Support\Facades\Gate;
use Illuminate\Support\Facades\Route;

class AppServiceProvider extends RouteServiceProvider
{
    public function boot(): void
    {
        Gate::define('administer', static fn (User $user): bool => $user->admin);
        $this->routes(function (): void {
            Route::middleware('web')->group($this->app->basePath('routes/web.php'));
            Route::group([], $this->app->basePath('routes/webhooks.php'));
        });
    }
}
