<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Http\CheckFeatureFlag;
use Flagstone\Laravel\Http\HideFeatures;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Support\Facades\Route;
use Illuminate\Testing\TestResponse;
use PHPUnit\Framework\Attributes\DataProvider;

/**
 * A page behind a flag that is off answers as a path that does not exist.
 */
final class HiddenTest extends TestCase
{
    protected function flagstone(): array
    {
        return ['unknown' => 'log'];
    }

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'everyone' => true,
            'nobody' => false,
        ]);
    }

    /** @return array<string, array{0: string, 1: array<string, string>}> */
    public static function kindsOfRequests(): array
    {
        return [
            'HTML' => ['GET', ['Accept' => 'text/html']],
            'JSON' => ['GET', ['Accept' => 'application/json']],
            'HEAD' => ['HEAD', ['Accept' => 'text/html']],
            'a posted form' => ['POST', ['Accept' => 'text/html']],
            'posted JSON' => ['POST', ['Accept' => 'application/json', 'X-Requested-With' => 'XMLHttpRequest']],
        ];
    }

    /**
     * @dataProvider kindsOfRequests
     * @param array<string, string> $headers
     */
    #[DataProvider('kindsOfRequests')]
    public function test_a_flag_on_for_nobody_answers_as_no_route_whatever_middleware_there_is(
        string $verb,
        array $headers,
    ): void {
        Route::match(['GET', 'POST'], '/nobody', fn () => 'page')->middleware(['web', 'auth', 'feature:nobody']);
        Route::match(['GET', 'POST'], '/typo', fn () => 'page')->middleware(['api', 'feature:pilto']);
        $this->assertHidden($verb, '/nobody', $headers);
        $this->assertHidden($verb, '/typo', $headers);
    }

    /**
     * @dataProvider kindsOfRequests
     * @param array<string, string> $headers
     */
    #[DataProvider('kindsOfRequests')]
    public function test_a_flag_off_for_this_company_answers_as_no_route(string $verb, array $headers): void
    {
        Route::match(['GET', 'POST'], '/pilot', fn () => 'page')->middleware(['auth', 'feature:pilot']);
        $this->actingAs($this->user(16));
        $this->assertHidden($verb, '/pilot', $headers);

        $this->actingAs($this->user(15));
        $this->assertSame(200, $this->call($verb, '/pilot', [], [], [], $this->server($headers))->getStatusCode());
    }

    /**
     * @dataProvider kindsOfRequests
     * @param array<string, string> $headers
     */
    #[DataProvider('kindsOfRequests')]
    public function test_the_global_middleware_hides_session_cookies_and_rates_too(string $verb, array $headers): void
    {
        $this->hideFeatures();
        Route::match(['GET', 'POST'], '/pilot', fn () => 'page')
            ->middleware(['web', 'throttle:60,1', 'auth', 'feature:pilot']);
        $this->actingAs($this->user(16));

        $this->assertHidden($verb, '/pilot', $headers);
    }

    public function test_without_it_a_session_cookie_tells_a_signed_in_user_that_the_path_exists(): void
    {
        Route::get('/pilot', fn () => 'page')->middleware(['web', 'auth', 'feature:pilot']);

        $response = $this->actingAs($this->user(16))->get('/pilot')->assertNotFound();

        $this->assertNotEmpty($response->headers->getCookies());
    }

    public function test_a_wrong_verb_is_hidden_by_the_global_middleware(): void
    {
        Route::get('/pilot', fn () => 'page')->middleware('feature:pilot');
        Route::delete('/nobody', fn () => 'page')->middleware('feature:nobody');
        $this->delete('/pilot')->assertStatus(405);

        $this->hideFeatures();
        foreach (['text/html', 'application/json'] as $accept) {
            $this->assertHidden('DELETE', '/pilot', ['Accept' => $accept]);
            $this->assertHidden('GET', '/nobody', ['Accept' => $accept]);
            $this->assertHidden('OPTIONS', '/pilot', ['Accept' => $accept]);
        }
    }

    public function test_verbs_of_routes_that_are_on_or_unguarded_stay_visible(): void
    {
        $this->hideFeatures();
        Route::get('/mixed', fn () => 'page');
        Route::post('/mixed', fn () => 'page')->middleware('feature:nobody');
        Route::get('/open', fn () => 'page')->middleware('feature:everyone');

        $this->assertSame('GET, HEAD', $this->delete('/mixed')->assertStatus(405)->headers->get('Allow'));
        $this->assertSame('GET,HEAD', $this->options('/mixed')->assertOk()->headers->get('Allow'));
        $this->assertSame('GET, HEAD', $this->delete('/open')->assertStatus(405)->headers->get('Allow'));
        $this->assertSame('GET,HEAD', $this->options('/open')->assertOk()->headers->get('Allow'));
        $this->get('/mixed')->assertOk();
    }

    public function test_answers_of_middleware_that_ran_before_the_flag_was_asked_are_hidden_too(): void
    {
        Route::get('/pilot', fn () => 'page')->middleware([Support\PageExpired::class, 'feature:pilot']);
        $this->actingAs($this->user(16))->get('/pilot')->assertStatus(419);

        $this->hideFeatures();
        $this->assertHidden('GET', '/pilot', ['Accept' => 'text/html']);
        $this->actingAs($this->user(15))->get('/pilot')->assertStatus(419);
    }

    public function test_another_answer_than_404_is_the_applications_to_give(): void
    {
        Route::get('/nobody', fn () => 'page')->middleware('feature:nobody');
        CheckFeatureFlag::whenInactive(
            fn ($request, array $flags) => $request->expectsJson() ? null : new Response(\implode($flags), 402),
        );

        $this->get('/nobody')->assertStatus(402)->assertSee('nobody');
        $this->getJson('/nobody')->assertNotFound();

        CheckFeatureFlag::whenInactive(null);
        $this->get('/nobody')->assertNotFound();
    }

    public function test_a_refusal_asks_each_flag_once_with_cached_routes_too(): void
    {
        foreach ([false, true] as $hides) {
            $this->refreshApplication();
            $hides && $this->hideFeatures();
            $router = $this->app->make('router');
            Route::match(['GET', 'POST'], '/pilot', fn (): string => 'page')->middleware('feature:pilot')->name('pilot');
            $router->getRoutes()->refreshNameLookups();
            $router->setCompiledRoutes($router->getRoutes()->compile());
            $fake = \Flagstone\Laravel\Facades\Flagstone::fake(['pilot' => [15 => true]]);
            $this->actingAs($this->user(16))->get('/pilot')->assertNotFound();
            $fake->assertAskedTimes('pilot', 1);
        }
    }

    public function test_an_error_page_finds_no_current_route(): void
    {
        \file_put_contents($this->app->resourcePath('views/route.blade.php'), '{{ request()->route() === null }}');
        $this->app->make(\Illuminate\Contracts\Debug\ExceptionHandler::class)->renderable(
            fn (\Symfony\Component\HttpKernel\Exception\NotFoundHttpException $e) => \response()->view('route', [], 404),
        );
        Route::get('/nobody', fn () => 'page')->middleware('feature:nobody');

        $this->assertSame('1', $this->get('/nobody')->getContent());
    }

    private function hideFeatures(): void
    {
        $this->app->make(Kernel::class)->pushMiddleware(HideFeatures::class);
    }

    /** @param array<string, string> $headers */
    private function assertHidden(string $verb, string $path, array $headers): void
    {
        $unrouted = '/' . \str_repeat('x', \strlen($path) - 1);
        $expected = $this->call($verb, $unrouted, [], [], [], $this->server($headers));
        $actual = $this->call($verb, $path, [], [], [], $this->server($headers));

        $this->assertSame(404, $expected->getStatusCode());
        $this->assertSame(
            $this->fingerprint($expected, $verb, $unrouted),
            $this->fingerprint($actual, $verb, $path),
        );
    }

    /** What is sent: PHP adds the content type where Laravel names none, and a server drops a HEAD's body. */
    private function fingerprint(TestResponse $response, string $verb, string $path): string
    {
        $sent = (clone $response->baseResponse)->prepare(Request::create('/', $verb));
        $headers = $sent->headers->all();
        unset($headers['date']);

        $body = \str_replace(\ltrim($path, '/'), 'path', $sent->getContent());

        return \json_encode([$sent->getStatusCode(), $headers, \sha1($body)], \JSON_THROW_ON_ERROR);
    }

    /**
     * @param array<string, string> $headers
     * @return array<string, string>
     */
    private function server(array $headers): array
    {
        return $this->transformHeadersToServerVars($headers);
    }
}
