<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\Tests;



/** Settings of php.ini, and overrides. */
final class SettingsTest extends TestCase
{
    public function test_settings_that_are_not_understood_are_named_in_the_status(): void
    {
        $store = self::store(['portal' => true]);
        $warning = fn (string $setting, string $value) => self::php("echo flagstone_status()['warning'] ?? 'none';", ['flagstone.store' => $store, $setting => $value]);
        foreach ([
            ['flagstone.map', 'privat', 'auto, private or shared'],
            ['flagstone.owner', 'nobody-has-this-name', "a user's number, or a name of /etc/passwd"],
            ['flagstone.owner', '4294967295', "a user's number, or a name of /etc/passwd"],
            ['flagstone.telemetry', 'tmp/counters', "On, Off, or a directory's absolute path"],
            ['flagstone.refresh', 'abc', 'seconds from 0 to 86400'],
            ['flagstone.refresh', '100000', 'seconds from 0 to 86400'],
            ['flagstone.allow_override', 'perhaps', 'On, Off or cli'],
        ] as [$setting, $value, $expected]) {
            self::assertSame("$setting is \"$value\", expected $expected; it is ignored", $warning($setting, $value), $setting);
        }
        foreach ([['flagstone.owner', ''], ['flagstone.owner', ' www-data '], ['flagstone.owner', '33'], ['flagstone.map', 'PRIVATE'], ['flagstone.map', ''], ['flagstone.telemetry', ' OFF '], ['flagstone.telemetry', '/dev/shm'], ['flagstone.refresh', ''], ['flagstone.refresh', ' 2 '], ['flagstone.allow_override', 'CLI']] as [$setting, $value]) {
            self::assertSame('none', $warning($setting, $value), "$setting=$value");
        }
    }

    // An interval below a nanosecond became 0, which means never.
    public function test_a_small_refresh_interval_is_rounded_up(): void
    {
        foreach (['1e-10' => 1_000_000, '0.0015' => 2_000_000, '0' => 0, '2' => 2_000_000_000] as $seconds => $expected) {
            self::assertSame((string) $expected, self::php('echo Flagstone\Polyfill\Settings::refresh();', ['flagstone.refresh' => (string) $seconds]));
        }
    }

    // A store that php.ini names for a host was not seen, and another one answered silently.
    public function test_settings_of_a_section_of_php_ini_are_named_in_the_status(): void
    {
        $ini = self::directory() . '/sections';
        mkdir($ini);
        file_put_contents("$ini/php.ini", "[HOST=Shop.example]\nflagstone.store=/a\n[PATH=/var/www/app]\nflagstone.refresh=2\nflagstone.owner=33\n[HOST=mail.example]\nmemory_limit=9M\n");
        $names = static function (string $host, string $script) use ($ini): string {
            $code = "echo implode('; ', Flagstone\Polyfill\Settings::ofSections(['SERVER_NAME' => '$host', 'SCRIPT_FILENAME' => '$script']));";

            return (string) exec(str_replace(' -n', ' -n -c ' . escapeshellarg("$ini/php.ini"), self::line($code)) . ' 2>&1');
        };
        $warning = static fn (string $setting, string $section): string => "php.ini sets $setting in the section of $section, where the polyfill reads nothing; set it outside of sections, or load the extension";
        self::assertSame($warning('flagstone.store', 'shop.example'), $names('SHOP.example', '/var/www/index.php'));
        self::assertSame($warning('flagstone.refresh, flagstone.owner', '/var/www/app'), $names('mail.example', '/var/www/app/public/index.php'));
        self::assertSame('', $names('mail.example', 'index.php'));
    }

    public function test_settings_that_php_could_not_read_leave_the_default(): void
    {
        $store = self::store(['portal' => true]);
        $count = "feature_enabled('portal'); echo flagstone_status()['counters']['on'];";
        foreach (['maybe' => '1', 'on' => '1', 'none' => '0', '' => '0'] as $setting => $counted) {
            self::assertSame($counted, self::php($count, ['flagstone.store' => $store, 'flagstone.telemetry' => $setting]), $setting);
        }
    }

    public function test_overrides_answer_for_this_process_and_can_be_refused(): void
    {
        flagstone_override(['new' => [7 => 'blue'], 'old' => false]);
        self::assertSame([true, 'blue', false, false], [feature_enabled('new', '7'), feature_variant('new', 7), feature_enabled('new', 8), feature_enabled('old')]);
        self::assertSame('override', feature_explain('old')['reason']);
        flagstone_override(null, true);
        self::assertSame(true, feature_enabled('anything'));
        flagstone_override(null);
        self::assertSame(false, feature_enabled('anything'));
        $refused = self::php('try { flagstone_override([]); } catch (Error $error) { echo $error->getMessage(); }', ['flagstone.allow_override' => '0']);
        self::assertSame('flagstone_override() is refused: flagstone.allow_override is off in this process', $refused);
    }
}
