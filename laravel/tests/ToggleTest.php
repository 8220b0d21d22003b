<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Tests\Support\Artisan;
use Flagstone\Laravel\Tests\Support\Store;
use Illuminate\Foundation\Application;

/**
 * The script that operators know: toggle-feature-flag.php ENV FLAG true|false.
 */
final class ToggleTest extends TestCase
{
    use Artisan;

    private string $store;

    protected function configure(Application $app): void
    {
        $this->store = $this->ownStore($app, [
            'customer_portal' => ['enabled' => false, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'dark_mode' => false,
        ]);
    }

    /** @param array<string, string> $environment */
    private function toggle(array $arguments, array $environment = [], ?string $folder = null): int
    {
        $environment += ['PATH' => (string) \getenv('PATH'), 'FLAGSTONE_BINARY' => (string) \getenv('FLAGSTONE_BIN')];
        $environment += ['FLAGSTONE_STORE' => $this->store];
        $command = [\PHP_BINARY, \dirname(__DIR__) . '/toggle-feature-flag.php', ...$arguments];
        $process = \proc_open($command, [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes, $folder, $environment);
        $this->printed = \stream_get_contents($pipes[1]) . \stream_get_contents($pipes[2]);
        $code = \proc_close($process);
        $this->app->make('flagstone')->driver()->refresh();

        return $code;
    }

    public function test_it_turns_a_flag_on_for_whom_it_says_and_off_again(): void
    {
        $on = fn (int $company): bool => $this->app->make('flagstone')->for($company)->enabled('customer_portal');
        self::assertSame(0, $this->toggle(['testing', 'customer_portal', 'true']), $this->printed);
        self::assertSame([true, false], [$on(15), $on(16)], 'the pilot stays a pilot');
        self::assertStringContainsString('testing on ', $this->printed);
        self::assertSame(0, $this->toggle(['testing', 'FEATURE_CUSTOMER_PORTAL', 'false', 'wrong totals']));
        self::assertFalse($on(15));
        self::assertSame(0, $this->toggle(['testing', 'DARK_MODE', 'true']));
        self::assertSame(0, $this->toggle(['testing', 'dark_mode', 'true']), 'twice is once');

        self::assertSame(0, $this->artisanCode('feature:history --json'));
        $changes = \json_decode($this->printed, true)['changes'];
        self::assertSame(['enable', 'disable', 'enable'], \array_slice(\array_column($changes, 'action'), 0, 3));
        self::assertSame('wrong totals', $changes[1]['reason']);
        self::assertStringContainsString('typed by ', $changes[0]['reason']);
        self::assertNotSame('', $changes[0]['actor']['user']);
    }

    public function test_another_environment_or_an_unknown_flag_is_refused(): void
    {
        self::assertSame(1, $this->toggle(['production', 'dark_mode', 'true']));
        self::assertStringContainsString('is the store of testing, not of production; nothing was changed', $this->printed);
        self::assertSame(1, $this->toggle(['testing', 'dark_mod', 'true']));
        self::assertStringContainsString('did you mean "dark_mode"?', $this->printed);
        self::assertFalse($this->app->make('flagstone')->for(1)->enabled('dark_mode'));
    }

    public function test_what_is_typed_wrongly_is_explained(): void
    {
        foreach ([[], ['testing'], ['testing', 'dark_mode'], ['testing', 'dark_mode', 'on'], ['testing', '', 'true'], ['a', 'b', 'true', 'c', 'd']] as $arguments) {
            self::assertSame(2, $this->toggle($arguments));
            self::assertStringContainsString('expected ENV FLAG true|false', $this->printed);
        }
        self::assertSame(2, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => '/nonexistent']));
        self::assertSame(1, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_BINARY' => '/nonexistent']));
        self::assertStringContainsString('make install', $this->printed);
    }

    public function test_the_store_may_be_named_in_dotenv(): void
    {
        $folder = Store::directory() . '/toggle-' . \bin2hex(\random_bytes(6));
        \mkdir("$folder/app/Jobs", 0755, true);
        \touch("$folder/artisan");
        \file_put_contents("$folder/.env", "APP_ENV=testing\nFLAGSTONE_STORE=\"{$this->store}\"\n");
        self::assertSame(0, $this->toggle(['testing', 'dark_mode', 'true'], ['FLAGSTONE_STORE' => ''], "$folder/app/Jobs"), $this->printed);
        self::assertTrue($this->app->make('flagstone')->for(1)->enabled('dark_mode'));
    }
}
