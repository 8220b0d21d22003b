<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Facades\Flagstone;
use Flagstone\Laravel\Warnings;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Log;
use Illuminate\Support\Facades\Route;

/**
 * A typo does not look like "off", and neither does a user without a company.
 */
final class WarningsTest extends TestCase
{
    use Support\Artisan;

    private string $environment = 'testing';

    private bool $debug = false;

    /** @var list<string> */
    private array $logged = [];

    protected function setUp(): void
    {
        parent::setUp();
        $this->start('testing', false);
    }

    protected function configure(Application $app): void
    {
        $app->instance('env', $this->environment);
        $app->make('config')->set('app.debug', $this->debug);
    }

    public function test_in_local_and_testing_a_typo_throws_and_names_the_nearest_flag(): void
    {
        foreach (['local', 'testing'] as $environment) {
            $this->start($environment, false);
            foreach (['enabled', 'possible', 'variant', 'value'] as $question) {
                try {
                    Flagstone::$question('custmer_portal');
                    $this->fail("$question, $environment");
                } catch (UnknownFlag $unknown) {
                    $this->assertSame(
                        'Unknown flag "custmer_portal": did you mean "customer_portal"?',
                        $unknown->getMessage(),
                    );
                }
            }
        }
    }

    public function test_a_name_near_to_none_says_how_to_add_it(): void
    {
        $this->expectException(UnknownFlag::class);
        $this->expectExceptionMessage('Unknown flag "zebra": add it with: php artisan feature:make zebra');
        Flagstone::enabled('zebra');
    }

    public function test_a_flag_that_exists_and_is_off_is_no_mistake(): void
    {
        $this->start('production', false);

        $this->assertFalse(Flagstone::enabled('nobody'));
        $this->assertSame([], $this->logged);
    }

    public function test_in_production_a_typo_is_off_and_one_line_an_hour(): void
    {
        $this->start('production', false);
        Route::get('/typo', fn () => 'page')->middleware('feature:custmer_portal');

        $this->get('/typo')->assertNotFound();
        $this->get('/typo')->assertNotFound();
        $this->assertFalse(Flagstone::enabled('custmer_portal'));
        $line = 'Unknown flag "custmer_portal": did you mean "customer_portal"?';
        $this->assertSame([$line], $this->logged);

        // Another process knows, until the hour is over.
        $this->anotherProcess();
        Flagstone::enabled('custmer_portal');
        $this->assertSame([$line], $this->logged);
        $this->warningsAge(3700);
        $this->anotherProcess();
        Flagstone::enabled('custmer_portal');
        $this->assertSame([$line, $line], $this->logged);
        $this->anotherProcess();
        Flagstone::enabled('custmer_portal');
        $this->assertSame([$line, $line], $this->logged);
    }

    /** Where the cache is in the database each first warning was an INSERT in the application's own transaction, which it could abort. */
    public function test_a_warning_is_no_statement_in_the_applications_transaction(): void
    {
        $this->start('production', false);
        $config = $this->app->make('config');
        $config->set('cache.stores.database', ['driver' => 'database', 'table' => 'cache', 'connection' => null]);
        foreach (['cache.default' => 'database', 'session.driver' => 'database', 'queue.default' => 'database'] as $key => $value) {
            $config->set($key, $value);
        }
        $database = $this->app->make('db')->connection();
        $database->statement('create table cache (key text unique, value text, expiration integer)');
        $database->enableQueryLog();
        $database->transaction(function (): void {
            $this->assertFalse(Flagstone::enabled('custmer_portal'));
            $this->actingAs($this->user(null))->assertFalse(Flagstone::enabled('customer_portal'));
            $warnings = $this->app->make(Warnings::class);
            $warnings->unknownScope('customer_portal', new \stdClass());
            $warnings->unknownCompany('customer_portal', 'it is asked too early');
            $warnings->attributes('customer_portal', 15, ['plan' => new \stdClass()], ['plan'], Flagstone::driver());
            $warnings->monitoring('no answer');
            $warnings->degraded('the head is damaged');
            $driver = Flagstone::driver();
            Flagstone::setDriver(new Support\AnswersNothing($driver, 'there is no store'));
            $this->assertFalse(Flagstone::for(15)->enabled('customer_portal'));
        });
        $this->assertSame([], $database->getQueryLog());
        $this->assertCount(8, $this->logged);
    }

    public function test_notes_that_cannot_be_kept_take_nothing_down(): void
    {
        $this->start('production', false);
        $folder = $this->app->storagePath() . '/framework/cache';
        \rename($folder, "$folder-away");
        try {
            $this->assertFalse(Flagstone::enabled('custmer_portal'));
            $this->assertFalse(Flagstone::enabled('custmer_portal'));
            $this->assertCount(1, $this->logged);
        } finally {
            \rename("$folder-away", $folder);
        }
        $this->anotherProcess();
        foreach (['{', '[]', '{"' . \md5('a') . '":"b"}'] as $damaged) {
            \file_put_contents(self::warnings(), $damaged);
            $this->anotherProcess();
            $this->assertFalse(Flagstone::enabled('custmer_portal'));
        }
        $this->assertCount(4, $this->logged);
    }

    public function test_flags_that_users_name_make_no_file_that_grows(): void
    {
        $this->start('production', false);
        foreach (\range(1, 1010) as $number) {
            $this->assertFalse(Flagstone::enabled("typed-$number"));
        }
        $this->assertCount(1010, $this->logged);
        $this->assertCount(1000, (array) \json_decode((string) \file_get_contents(self::warnings()), true));
    }

    /** A log that could not be written made a page of a flag that is off, and ended jobs. */
    public function test_a_log_that_cannot_be_written_takes_nothing_down(): void
    {
        $this->start('production', false);
        $errors = Support\Store::unused('errors');
        \touch($errors);
        $this->app->make('config')->set('logging.channels.single.path', "$errors/laravel.log");
        $this->app->forgetInstance('log');
        Log::clearResolvedInstances();
        $before = \ini_set('error_log', $errors);
        try {
            $this->assertFalse(Flagstone::enabled('custmer_portal'));
        } finally {
            \ini_set('error_log', (string) $before);
        }
        $this->assertStringContainsString('flagstone: Unknown flag "custmer_portal"', (string) \file_get_contents($errors));
    }

    /** FLAGSTONE_UNKNOWN=logs was not noticed until the first mistyped flag, whose page it ended. */
    public function test_a_mistyped_setting_is_no_exception_in_production(): void
    {
        foreach (['logs', true] as $word) {
            $this->start('production', false);
            $this->app->make('config')->set('flagstone.unknown', $word);
            $this->assertFalse(Flagstone::enabled('custmer_portal'));
            $this->assertCount(1, $this->logged);
            $this->assertSame(1, $this->artisanCode('feature:doctor'));
            $this->assertMatchesRegularExpression('~^problem  unknown +config/flagstone.php: unknown ~m', $this->printed);
        }
    }

    public function test_a_signed_in_user_without_a_company_is_one_line_per_flag_and_hour(): void
    {
        $this->start('production', false);
        Route::get('/pilot', fn () => 'page')->middleware(['web', 'feature:customer_portal']);
        Route::get('/other', fn () => 'page')->middleware(['web', 'feature:other_pilot']);

        $this->get('/pilot')->assertNotFound();
        $this->assertSame([], $this->logged);
        $this->actingAs($this->user(null))->get('/pilot')->assertNotFound();
        $this->actingAs($this->user(null))->get('/pilot')->assertNotFound();
        $this->actingAs($this->user(null))->get('/other')->assertNotFound();
        $this->assertSame(2, \count($this->logged));
        $this->assertStringContainsString(
            'Flag "customer_portal" is off because the signed-in user has no company',
            $this->logged[0],
        );
    }

    public function test_no_definitions_at_all_are_one_line_an_hour_whatever_is_asked(): void
    {
        $this->start('production', false);
        $driver = Flagstone::driver();
        Flagstone::setDriver(new Support\AnswersNothing($driver, 'cannot open the head: Permission denied'));
        $this->assertFalse(Flagstone::enabled('customer_portal'));
        $this->assertFalse(Flagstone::possible('other_pilot'));
        $this->assertSame(
            ['Every flag is off, for there are no definitions to answer from: cannot open the head: Permission denied (php artisan feature:doctor)'],
            $this->logged,
        );
    }

    /** A broken file was in the log, and the missing store that came after it was not. */
    public function test_another_reason_for_no_definitions_is_another_line(): void
    {
        $this->start('production', false);
        $driver = Flagstone::driver();
        foreach (['the head is damaged', 'there is no store', 'there is no store'] as $error) {
            Flagstone::setDriver(new Support\AnswersNothing($driver, $error));
            $this->assertFalse(Flagstone::for(\random_int(1, \PHP_INT_MAX))->enabled('customer_portal'));
        }
        $this->assertSame(2, \count($this->logged));
        $this->assertStringContainsString('there is no store', $this->logged[1]);
    }

    /** Of several servers with one folder only the first had the line in its log. */
    public function test_each_server_logs_what_is_wrong_with_it(): void
    {
        $this->start('production', false);
        $driver = Flagstone::driver();
        Flagstone::setDriver(new Support\AnswersNothing($driver, 'there is no store'));
        foreach (['', 'web-2:'] as $other) {
            $notes[\md5($other . 'none:' . \md5('there is no store'))] = \time();
        }
        \file_put_contents(self::warnings(), \json_encode($notes));
        $this->assertFalse(Flagstone::enabled('customer_portal'));
        $this->assertCount(1, $this->logged);
        $this->app->forgetInstance(Warnings::class);
        $this->assertFalse(Flagstone::for(17)->enabled('customer_portal'));
        $this->assertCount(1, $this->logged, 'once an hour, whichever process asks');
    }

    public function test_while_debugging_the_page_says_why_in_one_line_and_a_header(): void
    {
        $this->start('production', true);
        Route::get('/pilot', fn () => 'page')->middleware(['web', 'feature:customer_portal']);
        $line = 'customer_portal is off for company 16: rollout_out, bucket';

        $page = $this->actingAs($this->user(16))->get('/pilot')->assertNotFound();
        $this->assertStringStartsWith($line, $page->headers->get('X-Flagstone'));
        $this->assertSame(1, \substr_count($page->getContent(), "Flagstone: $line"));
        $this->assertStringContainsString('</body>', \strstr($page->getContent(), "Flagstone: $line"));

        $json = $this->getJson('/pilot')->assertNotFound();
        $this->assertStringStartsWith($line, $json->json('message'));
        $this->assertStringStartsWith($line, $json->headers->get('X-Flagstone'));
        $this->assertFalse($this->get('/unrouted')->assertNotFound()->headers->has('X-Flagstone'));
    }

    public function test_while_debugging_a_companys_name_cannot_break_the_page_or_its_headers(): void
    {
        $this->start('production', true);
        Route::get('/pilot', fn () => 'page')->middleware('feature:customer_portal');

        $page = $this->actingAs($this->user("<b>\r\nSet-Cookie: a=b"))->get('/pilot')->assertNotFound();
        $this->assertStringContainsString('company <b>??Set-Cookie: a=b', $page->headers->get('X-Flagstone'));
        $this->assertStringNotContainsString('<b>', $page->getContent());
    }

    public function test_otherwise_nothing_tells(): void
    {
        $this->start('production', false);
        Route::get('/pilot', fn () => 'page')->middleware('feature:customer_portal');

        $page = $this->actingAs($this->user(16))->get('/pilot')->assertNotFound();
        $this->assertFalse($page->headers->has('X-Flagstone'));
        $this->assertStringNotContainsStringIgnoringCase('flagstone', $page->getContent());
        $this->assertStringNotContainsString('customer_portal', $page->getContent());
    }

    private function start(string $environment, bool $debug): void
    {
        [$this->environment, $this->debug] = [$environment, $debug];
        $this->refreshApplication();
        $pilot = ['enabled' => true, 'rollout' => ['percentage' => 1]];
        $this->publish(['customer_portal' => $pilot, 'other_pilot' => $pilot, 'nobody' => false]);
        $this->logged = [];
        Log::listen(function (object $message): void {
            $this->logged[] = $message->message;
        });
    }

    /** Forgets what this process has said already. */
    private function anotherProcess(): void
    {
        $this->app->forgetInstance(Warnings::class);
        $this->app->forgetInstance(\Flagstone\Laravel\Flagstone::class);
        Flagstone::clearResolvedInstances();
    }
}
