<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Tests\Support\AnswersAll;
use Flagstone\Laravel\Tests\Support\BearerGuard;
use Flagstone\Laravel\Tests\Support\JobsTable;
use Flagstone\Laravel\Tests\Support\Member;
use Illuminate\Contracts\Http\Kernel;
use Illuminate\Foundation\Application;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Route;
use Symfony\Component\HttpFoundation\Response;

/**
 * One process answers ten thousand companies, one after the other, with jobs between: none is ever answered as another.
 */
final class TenantIsolationTest extends TestCase
{
    private const COMPANIES = 10_000;

    private const FLAGS = 20;

    private const PLANS = ['free', 'pro', 'enterprise'];

    protected function configure(Application $app): void
    {
        $config = $app->make('config');
        JobsTable::configure($app);
        $config->set('auth.guards.token', ['driver' => 'company']);
    }

    public function test_no_company_is_answered_as_another(): void
    {
        $flags = \array_map(static fn (int $n): string => "flag_$n", \range(0, self::FLAGS - 1));
        $this->publish($this->definitions());
        $kernel = $this->app->make(Kernel::class);
        $this->application($flags);
        AnswersAll::$answers = [];

        $expected = $wrong = [];
        for ($n = 0; $n < self::COMPANIES; $n++) {
            $expected[$n] = $this->engine($n, $flags);
            $kind = ['none', 'sync', 'none', 'queued', 'acting'][$n % 5];
            $answers = \json_decode($this->ask($kernel, "/all/$kind", $n)->getContent(), true);
            if ($answers !== $expected[$n]) {
                $wrong[] = "facade, company number $n";
            }
            $flag = $flags[($n * 7) % self::FLAGS];
            $status = $this->ask($kernel, "/guarded/$flag", $n)->getStatusCode();
            if ($status !== ($expected[$n][$flag] ? 200 : 404)) {
                $wrong[] = "middleware, company number $n: $flag: $status";
            }
            if ($n % 2_500 === 2_499) {
                // A worker stops at 128 MiB unless told otherwise, and the tests before this one left some.
                Artisan::call('queue:work', ['connection' => 'database', '--stop-when-empty' => true, '--sleep' => 0, '--memory' => 1024]);
            }
        }
        foreach (AnswersAll::$answers as $name => $answers) {
            if ($answers !== $expected[(int) $name]) {
                $wrong[] = "job, company number $name";
            }
        }

        $this->assertSame([], \array_slice($wrong, 0, 20));
        $this->assertCount(self::COMPANIES * 2 / 5, AnswersAll::$answers);
        $this->assertVaried($expected);
    }

    /** @return array<string, array<string, mixed>> flags of all kinds */
    private function definitions(): array
    {
        $flags = [];
        for ($n = 0; $n < self::FLAGS; $n++) {
            $flag = ['enabled' => true, 'rollout' => ['percentage' => 5 + $n * 4]];
            $flags["flag_$n"] = match ($n % 5) {
                1 => ['companies' => ['allow' => [$n, "acme-$n"], 'deny' => [$n + 20, '0' . ($n + 1)]]] + $flag,
                2 => ['rules' => [
                    ['name' => 'plan', 'when' => ['attribute' => 'plan', 'in' => ['pro']], 'percentage' => 80],
                ]] + $flag,
                3 => ['rollout' => ['percentage' => 50, 'by' => 'user']] + $flag,
                4 => ['requires' => ['flag_' . ($n - 4)]] + $flag,
                default => $flag,
            };
        }

        return $flags;
    }

    /** Ints, strings, and strings that look like ints and are not the same. */
    private function company(int $n): int|string
    {
        return match ($n % 4) {
            0 => $n,
            1 => "acme-$n",
            2 => '0' . ($n - 1),
            default => (string) $n,
        };
    }

    /**
     * What the engine says.
     *
     * @param list<string> $flags
     * @return array<string, bool>
     */
    private function engine(int $n, array $flags): array
    {
        $answers = [];
        foreach ($flags as $flag) {
            $context = ['plan' => self::PLANS[$n % 3], 'user' => $n];
            $answers[$flag] = \feature_enabled($flag, $this->company($n), $context);
        }

        return $answers;
    }

    /** @param list<string> $flags */
    private function application(array $flags): void
    {
        $member = fn (string $token): Member => new Member([
            'id' => (int) $token,
            'company_id' => $this->company((int) $token),
            'plan' => self::PLANS[(int) $token % 3],
        ]);
        // Later versions of Laravel bind this closure to the auth manager: it may use nothing of this class.
        Auth::extend('company', fn (): BearerGuard => new BearerGuard($member));
        JobsTable::create();
        Route::get('/all/{kind}', function (Request $request, string $kind) use ($flags): array {
            match ($kind) {
                'sync' => \dispatch((new AnswersAll($request->bearerToken(), $flags))->onConnection('sync')),
                'queued' => \dispatch((new AnswersAll($request->bearerToken(), $flags))->onConnection('database')),
                'acting' => Flagstone::actingFor('somebody else', fn () => Flagstone::enabled($flags[0])),
                default => null,
            };

            return \array_combine($flags, \array_map(Flagstone::enabled(...), $flags));
        })->middleware('auth:token');
        foreach ($flags as $flag) {
            Route::get("/guarded/$flag", fn () => 'page')->middleware(['auth:token', "feature:$flag"]);
        }
    }

    private function ask(Kernel $kernel, string $path, int $n): Response
    {
        return $kernel->handle(Request::create($path, 'GET', [], [], [], [
            'HTTP_AUTHORIZATION' => "Bearer $n",
            'HTTP_ACCEPT' => 'application/json',
        ]));
    }

    /** @param array<int, array<string, bool>> $expected */
    private function assertVaried(array $expected): void
    {
        foreach (\array_keys($expected[0]) as $flag) {
            $on = \count(\array_filter(\array_column($expected, $flag)));
            $this->assertGreaterThan(100, $on, "$flag is on for too few companies to show anything");
            $this->assertLessThan(self::COMPANIES - 100, $on, "$flag is off for too few companies to show anything");
        }
    }
}
