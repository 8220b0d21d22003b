<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Http\HideFeatures;
use Flagstone\Laravel\Tests\Support\SessionUsers;
use Flagstone\Laravel\Tests\Support\Skeleton;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Foundation\Application;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Facade;
use PHPUnit\Framework\Attributes\DataProvider;
use Symfony\Component\HttpFoundation\Response;

/**
 * A page behind a flag that is off answers as the application answers where it lacks the route: by its fallback, its catch-all, its
 * own 404 and 405 pages. Each request has an application of its own, as under php-fpm, and what Laravel sends is compared before
 * PHP adds to it.
 */
final class AbsentPathTest extends TestCase
{
    private const REQUESTS = [
        ['GET', '/plain', 'text/html'],
        ['GET', '/pilot', 'text/html'],
        ['GET', '/pilot', 'application/json'],
        ['HEAD', '/pilot', 'text/html'],
        ['POST', '/pilot', 'text/html'],
        ['DELETE', '/pilot', 'application/json'],
        ['OPTIONS', '/pilot', 'text/html'],
        ['GET', '/never', 'text/html'],
        ['POST', '/never', 'text/html'],
        ['OPTIONS', '/never', 'text/html'],
        ['GET', '/bound/7', 'text/html'],
        ['GET', '/reads', 'text/html'],
        ['DELETE', '/reads', 'text/html'],
        ['OPTIONS', '/reads', 'text/html'],
    ];

    /** @var array<string, string> */
    private array $jar = [];

    private string $views = '';

    protected function setUp(): void
    {
        parent::setUp();
        $this->publish([
            'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'nobody' => false,
        ]);
        $this->views = $this->app->resourcePath('views/errors');
        \is_dir($this->views) || \mkdir($this->views);
        \file_put_contents("$this->views/404.blade.php", "@auth Hello {{ auth()->id() }} @else Log in @endauth
            session={{ request()->hasSession() ? 'yes' : 'no' }} route={{ request()->route() === null ? 'null' : 'active' }}
            current={{ \Illuminate\Support\Facades\Route::currentRouteName() ?? 'null' }} theme={{ request()->cookie('theme') }}");
    }

    protected function tearDown(): void
    {
        \unlink("$this->views/404.blade.php");
        parent::tearDown();
    }

    /** @return iterable<string, array{string, bool, bool}> what answers for absent paths, with HideFeatures, with cached routes */
    public static function applications(): iterable
    {
        foreach (['no fallback', 'a fallback', 'a fallback with web', 'a fallback of every verb', 'a catch-all', 'a catch-all with web'] as $kind) {
            foreach ([false, true] as $hides) {
                yield $kind . ($hides ? ', hidden' : '') => [$kind, $hides, false];
            }
        }
        yield 'a fallback, hidden, cached' => ['a fallback', true, true];
        yield 'no fallback, cached' => ['no fallback', false, true];
    }

    /** @dataProvider applications */
    #[DataProvider('applications')]
    public function test_it_answers_as_the_application_does_without_the_route(string $kind, bool $hides, bool $cached): void
    {
        $login = $this->ask('GET', '/login/16', $kind, $hides, $cached);
        self::assertSame('in', $login->getContent());
        $session = $this->jar;
        $wrong = [];
        foreach (self::REQUESTS as [$verb, $path, $accept]) {
            // Without HideFeatures a path is told by its verbs.
            if (!$hides && ($verb === 'OPTIONS' || $path === '/reads' && $verb !== 'GET')) {
                continue;
            }
            $absent = '/' . \str_repeat('x', \strlen($path) - 1);
            $this->jar = $session;
            $expected = $this->sent($this->ask($verb, $absent, $kind, $hides, $cached, $accept), $verb, $absent, $hides);
            $this->jar = $session;
            $actual = $this->sent($this->ask($verb, $path, $kind, $hides, $cached, $accept), $verb, $path, $hides);
            if ($expected !== $actual) {
                $wrong["$verb $path $accept"] = [$expected, $actual];
            }
        }
        self::assertSame('16', $this->ask('GET', '/whoami', $kind, $hides, $cached)->getContent(), 'still signed in');

        self::assertSame([], $wrong);
    }

    public function test_a_company_that_has_the_feature_gets_the_page(): void
    {
        foreach (['a fallback with web', 'a catch-all'] as $kind) {
            $this->jar = [];
            $this->ask('GET', '/login/15', $kind, true, false);
            self::assertSame('page', $this->ask('GET', '/pilot', $kind, true, false)->getContent());
            self::assertSame('page', $this->ask('GET', '/bound/7', $kind, true, false)->getContent());
        }
    }

    private function ask(string $verb, string $path, string $kind, bool $hides, bool $cached, string $accept = 'text/html'): Response
    {
        Facade::clearResolvedInstances();
        $app = Skeleton::boot(function (Application $app): void {
            $app->make('config')->set('flagstone', ['driver' => \extension_loaded('flagstone') ? 'native' : 'store', 'store' => Store::path(), 'unknown' => 'log']);
            $app->make('config')->set('session.driver', 'file');
            $app->make('config')->set('auth.providers.users', ['driver' => 'session-users']);
        });
        $app->make('auth')->provider('session-users', static fn () => new SessionUsers());
        $router = $app->make('router');
        Support\AbsentRoutes::add($router, $kind);
        if ($cached) {
            $router->getRoutes()->refreshNameLookups();
            foreach ($router->getRoutes() as $number => $route) {
                $route->getName() ?? $route->name("generated::$number");
            }
            $router->getRoutes()->refreshNameLookups();
            $compiled = $router->getRoutes()->compile();
            $router->setCompiledRoutes($compiled);
        }
        $kernel = $app->make(Kernel::class);
        if ($hides) {
            $kernel->pushMiddleware(HideFeatures::class);
        }
        $request = Request::create("http://localhost$path", $verb, [], $this->jar, [], ['HTTP_ACCEPT' => $accept]);
        $response = $kernel->handle($request);
        $kernel->terminate($request, $response);
        foreach ($response->headers->getCookies() as $cookie) {
            $this->jar[$cookie->getName()] = (string) $cookie->getValue();
        }
        $app->flush();
        \restore_error_handler();
        \restore_exception_handler();

        return $response;
    }

    /** What is sent, but for what differs from one request to the next; without HideFeatures a session may set its cookies. */
    private function sent(Response $response, string $verb, string $path, bool $hides): string
    {
        $headers = $response->headers->allPreserveCase();
        unset($headers['Date'], $headers['date']);
        $headers['Set-Cookie'] = $hides ? \array_map(static fn ($cookie): string => $cookie->getName(), $response->headers->getCookies()) : [];
        \ksort($headers);
        $body = \str_replace([\ltrim($path, '/'), \addcslashes(\ltrim($path, '/'), '/')], 'path', (string) $response->getContent());

        // A server drops the body of an answer to HEAD.
        $body = $verb === 'HEAD' ? '' : \trim($body);

        return \json_encode([$response->getStatusCode(), $response->getProtocolVersion(), $headers, $body], \JSON_THROW_ON_ERROR);
    }
}
