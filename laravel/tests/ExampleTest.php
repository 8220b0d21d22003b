<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use App\Models\Company;
use App\Models\User;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Bootstrap\LoadConfiguration;

/**
 * The application in examples/laravel boots on this Laravel, and its portal follows the flag.
 */
final class ExampleTest extends TestCase
{
    public function createApplication(): Application
    {
        $example = \dirname(__DIR__, 2) . '/examples/laravel';
        require_once "$example/bootstrap/autoload.php";
        $_ENV['APP_BASE_PATH'] = self::deployed($example);
        $app = require "$example/bootstrap/app.php";
        unset($_ENV['APP_BASE_PATH']);
        $app->afterBootstrapping(LoadConfiguration::class, static function (Application $app): void {
            $app->make('config')->set([
                'app.key' => \str_repeat('k', 32),
                'database.connections.sqlite.database' => ':memory:',
                'flagstone.store' => Store::path(),
            ]);
        });
        $app->make(Kernel::class)->bootstrap();
        $app->make(Kernel::class)->call('portal:seed');

        return $app;
    }

    public function test_the_portal_follows_the_flag_and_nothing_else_does(): void
    {
        $this->assertSees([404, 404, 404], guest: 404, receipt: 'mail', flag: ['enabled' => false]);
        $pilots = ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15, 42]]];
        $this->assertSees([200, 404, 404], guest: 302, receipt: 'mail', flag: $pilots);
        $this->assertSees([200, 200, 404], guest: 302, receipt: 'mail', flag: ['rollout' => ['percentage' => 10]] + $pilots);
        $this->assertSees([200, 200, 200], guest: 302, receipt: 'portal', flag: ['enabled' => true]);
    }

    public function test_a_login_leads_to_the_page_that_was_asked_for(): void
    {
        $this->publish(['customer_portal' => true]);
        $this->get('/portal/invoices/2')->assertRedirect('/login');

        $this->withSession(['_token' => 'token'])
            ->post('/login', ['_token' => 'token', 'email' => 'user@company-16.example', 'password' => 'secret'])
            ->assertRedirect('/portal/invoices/2');
        $this->get('/portal/invoices/2')->assertOk()->assertSee('Of Company 16');
    }

    /**
     * @param list<int> $statuses of the portal, for the companies 15, 87 and 16
     * @param array<string, mixed> $flag
     */
    private function assertSees(array $statuses, int $guest, string $receipt, array $flag): void
    {
        $this->publish(['customer_portal' => $flag]);
        $this->app->make('auth')->forgetGuards();
        $this->assertSame($guest, $this->get('/portal')->getStatusCode());
        $this->post('/webhooks/payment', ['company' => 16])->assertOk()->assertJson(['receipt' => $receipt]);

        foreach ([15, 87, 16] as $n => $id) {
            $this->actingAs(Company::query()->findOrFail($id)->users->firstOrFail());
            $this->assertSame($statuses[$n], $this->get('/portal')->getStatusCode());
            $page = $this->get('/account')->assertOk();
            $statuses[$n] === 200 ? $page->assertSee('href="/portal"', false) : $page->assertDontSee('href="/portal"', false);
            $this->get('/admin/companies')->assertForbidden();
        }
        $this->actingAs(User::query()->where('admin', true)->firstOrFail());
        $this->get('/admin/companies')->assertOk()->assertSee('<td>15</td>', false);
    }

    /** A copy, since an application writes into its folders. */
    private static function deployed(string $example): string
    {
        static $folder = null;
        if ($folder === null) {
            $folder = Store::unused('example');
            \exec(\sprintf('cp -R %s %s', \escapeshellarg($example), \escapeshellarg($folder)));
            foreach (['bootstrap/cache', 'storage/framework/cache/data', 'storage/framework/sessions', 'storage/framework/views'] as $path) {
                \mkdir("$folder/$path", 0755, true);
            }
        }

        return $folder;
    }
}
