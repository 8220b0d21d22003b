<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Http\CheckFeatureFlag;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Route;

final class RoutesCommandTest extends TestCase
{
    private const FILES = [
        'app/Features/Feature.php' => "<?php\nenum Feature: string\n{\n    case Portal = 'portal';\n    case Portals = 'portals';\n}\n",
        'app/Jobs/SendInvoices.php' => "<?php\nuse Flagstone\\Laravel\\Queue\\RequiresFeature;\nfinal class SendInvoices\n{\n    public function middleware(): array\n    {\n"
            . "        return [RequiresFeature::for('portal')];\n    }\n}\n",
        'app/Models/Page.php' => "<?php\n// portal is a word here\n\$a = Flagstone::enabled(Feature::Portal);\n\$b = feature_enabled('portals', 1);\n\$c = \$company->hasFeature(\"portal\");\n",
        'resources/views/menu.blade.php' => "<nav>portal</nav>\n@flagstone('portal')\n@endflagstone\n@feature('portal.beta')\n@endfeature\n",
        'resources/views/other.blade.php' => "@can('feature', 'portals')\n",
    ];

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish(['portal' => true, 'portals' => true, 'unused' => true]);
        foreach (self::FILES as $path => $text) {
            @\mkdir(\dirname($this->app->basePath($path)), 0755, true);
            \file_put_contents($this->app->basePath($path), $text);
        }
        Route::get('/portal', fn () => '')->middleware('feature:portal')->name('portal');
        Route::match(['put', 'patch'], '/portal/{id}', fn () => '')->middleware(CheckFeatureFlag::usingAny('beta', 'portal'));
        Route::get('/portals', fn () => '')->middleware('feature:portals');
        Route::get('/open', fn () => '');
    }

    protected function tearDown(): void
    {
        foreach (self::FILES as $path => $text) {
            @\unlink($this->app->basePath($path));
        }
        parent::tearDown();
    }

    public function test_it_shows_routes_views_jobs_and_code_that_ask_for_the_flag(): void
    {
        $this->assertSame(0, Artisan::call('feature:routes', ['flag' => 'portal']));
        $this->assertSame(
            "Routes\n  GET portal (portal)\n  PUT|PATCH portal/{id}\nViews\n  resources/views/menu.blade.php:2\n"
            . "Jobs\n  app/Jobs/SendInvoices.php:7\nCode\n  app/Models/Page.php:3\n  app/Models/Page.php:5\n",
            Artisan::output(),
        );
    }

    public function test_it_prints_json(): void
    {
        $this->assertSame(0, Artisan::call('feature:routes', ['flag' => 'portals', '--json' => true]));
        $this->assertSame(
            ['flag' => 'portals', 'routes' => ['GET portals'], 'views' => ['resources/views/other.blade.php:1'], 'jobs' => [], 'code' => ['app/Models/Page.php:4']],
            \json_decode(Artisan::output(), true),
        );
    }

    public function test_where_nothing_asks_it_says_so_and_exits_with_1(): void
    {
        $this->assertSame(1, Artisan::call('feature:routes', ['flag' => 'unused']));
        $this->assertSame("Nothing was found that asks for unused\n", Artisan::output());
        $this->assertSame(1, Artisan::call('feature:routes', ['flag' => 'unhaerd']));
        $this->assertSame("Nothing was found that asks for unhaerd, and there is no such flag\n", Artisan::output());
    }
}
