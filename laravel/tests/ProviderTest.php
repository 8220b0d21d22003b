<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\FlagstoneServiceProvider;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Route;
use ReflectionClass;
use Stancl\Tenancy\TenancyServiceProvider;

/**
 * What the package does when an application boots, and what it leaves.
 */
final class ProviderTest extends TestCase
{
    protected function configure(Application $app): void
    {
        require_once __DIR__ . '/doubles/TenancyServiceProvider.php';
        $app->register(TenancyServiceProvider::class);
    }

    public function test_the_class_behind_the_facade_has_what_the_facade_lists(): void
    {
        \preg_match_all('/@method static \S+ (\w+)\(/', (string) (new ReflectionClass(Flagstone::class))->getDocComment(), $listed);
        $methods = \array_column((new ReflectionClass(\Flagstone\Laravel\Flagstone::class))->getMethods(\ReflectionMethod::IS_PUBLIC), 'name');

        self::assertEqualsCanonicalizing([...$listed[1], '__construct'], $methods);
    }

    public function test_a_configuration_file_of_an_older_version_is_made_whole(): void
    {
        $whole = \array_keys(require __DIR__ . '/../config/flagstone.php');
        $this->assertSame($whole, \array_keys((new ReflectionClass(FlagstoneServiceProvider::class))->getConstant('KEYS')));

        foreach ($whole as $key) {
            \config(['flagstone' => \array_diff_key((array) \config('flagstone'), [$key => true])]);
            (new FlagstoneServiceProvider($this->app))->register();
            $this->assertArrayHasKey($key, (array) \config('flagstone'));
        }
    }

    public function test_a_tenant_that_is_found_in_the_middle_of_a_request_is_who_asks_from_then_on(): void
    {
        $this->publish(['everyone' => true]);
        \config(['flagstone.subject' => Support\AlwaysLatest::class]);
        $this->app->forgetInstance(\Flagstone\Laravel\Subject\Subjects::class);
        $this->app->forgetInstance(\Flagstone\Laravel\Flagstone::class);
        Flagstone::clearResolvedInstances();
        Support\AlwaysLatest::$company = 15;
        Route::get('/tenant', function (): array {
            $seen = [Flagstone::subject()->company];
            Support\AlwaysLatest::$company = 16;
            foreach (['Stancl\Tenancy\Events\Other', 'Stancl\Tenancy\Events\TenancyInitialized'] as $event) {
                Event::dispatch($event, [new \stdClass()]);
                $seen[] = Flagstone::subject()->company;
            }

            return $seen;
        });

        $this->get('/tenant')->assertExactJson([15, 15, 16]);
        Support\AlwaysLatest::$company = null;
    }

    /** Each of these takes as long to load as dozens of flags take to answer. */
    public function test_a_request_to_an_unguarded_route_makes_nothing_that_answers_flags(): void
    {
        $this->refreshApplication();
        Route::get('/plain', fn (): string => 'page')->middleware('web');
        $this->get('/plain')->assertOk();

        foreach ([\Flagstone\Laravel\Flagstone::class, \Flagstone\Laravel\Subject\Subjects::class, 'queue', 'validator'] as $made) {
            $this->assertFalse($this->app->resolved($made), $made);
        }
    }
}
