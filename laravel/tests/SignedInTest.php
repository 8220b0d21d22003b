<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Closure;
use Flagstone\Laravel\Subject\SignedIn;
use Flagstone\Laravel\Tests\Support\CountsAsked;
use Illuminate\Auth\AuthManager;
use Illuminate\Config\Repository;
use Illuminate\Foundation\Application;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use PHPUnit\Framework\Attributes\DataProvider;

/**
 * The short way to who is signed in gives what the request gives.
 */
final class SignedInTest extends TestCase
{
    protected function configure(Application $app): void
    {
        $app->make('config')->set('auth.guards.admin', ['driver' => 'session', 'provider' => 'users']);
    }

    /** @return array<string, array{Closure(self, Request): mixed, bool}> what happens, and whether Laravel alone decides then */
    public static function ways(): array
    {
        return [
            'nobody' => [static fn () => null, true],
            'a user' => [static fn (self $test) => $test->actingAs($test->user(15)), true],
            'a user of another guard' => [static fn (self $test) => $test->actingAs($test->user(15), 'admin'), true],
            'another guard is the default from then on' => [static function (self $test): void {
                $test->actingAs($test->user(15));
                Auth::guard('admin')->setUser($test->user(16));
                Auth::shouldUse('admin');
            }, true],
            'the configuration names another guard' => [static function (self $test): void {
                $test->actingAs($test->user(15));
                \config(['auth.defaults.guard' => 'admin']);
            }, true],
            'the configuration is another' => [static function (self $test): void {
                $test->actingAs($test->user(15));
                $config = \app('config')->all();
                $config['auth']['defaults']['guard'] = 'admin';
                \app()->instance('config', new Repository($config));
            }, true],
            'the user is gone' => [static function (self $test): void {
                $test->actingAs($test->user(15));
                \app('auth')->forgetGuards();
            }, true],
            'a guard that is a closure' => [static function (self $test): void {
                Auth::viaRequest('token', static fn () => $test->user(42));
                \config(['auth.guards.token' => ['driver' => 'token'], 'auth.defaults.guard' => 'token']);
            }, true],
            'another manager' => [static function (self $test): void {
                \app()->instance('auth', new AuthManager(\app()));
                Auth::clearResolvedInstances();
                $test->actingAs($test->user(16));
            }, true],
            'a manager of the application' => [static function (self $test): void {
                \app()->instance('auth', new class (\app()) extends AuthManager {
                    public function getDefaultDriver()
                    {
                        return 'admin';
                    }
                });
                Auth::clearResolvedInstances();
                $test->actingAs($test->user(16), 'admin');
            }, false],
            'a resolver of the application' => [static function (self $test): void {
                $test->actingAs($test->user(15));
                Auth::resolveUsersUsing(static fn () => $test->user(16));
            }, false],
            'a resolver of the request' => [static function (self $test, Request $request): void {
                $test->actingAs($test->user(15));
                $request->setUserResolver(static fn () => $test->user(16));
            }, false],
            'a request that nobody gave a resolver' => [static function (self $test, Request $request): void {
                $test->actingAs($test->user(15));
                Closure::bind(fn () => $request->userResolver = null, null, Request::class)();
            }, false],
        ];
    }

    /**
     * @dataProvider ways
     * @param Closure(self, Request): mixed $happens
     */
    #[DataProvider('ways')]
    public function test_it_is_whom_the_request_names(Closure $happens, bool $alone): void
    {
        $request = CountsAsked::create('/');
        $this->app->instance('request', $request);
        $happens($this, $request);

        $this->assertEquals($request->user(), SignedIn::of($request));
        $this->assertSame($alone ? 1 : 2, $request->asked, 'the request is asked where Laravel alone does not decide');
    }
}
