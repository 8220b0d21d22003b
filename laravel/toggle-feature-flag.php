#!/usr/bin/env php
<?php

/**
 * Turns one flag of this machine's store on or off, for every worker's next request: no config:cache, no restart.
 *
 *     php vendor/bin/toggle-feature-flag.php ENV FLAG true|false [REASON]
 *
 * ENV is the store's environment, written out so that nobody changes another one than meant. FLAG is the flag's key, or
 * the name that it had in .env. `true` turns it on for whom it says, `false` off for everybody. Who did it, when and
 * why is in the audit trail (`flagstone history`).
 *
 * The store and the command are those of `php artisan feature:enable`: the application says which, with its own .env, configuration and
 * php.ini. It is the one in whose Composer folder this was called. The working directory does not matter: what lies there may be
 * somebody else's. Called from elsewhere, the store is FLAGSTONE_STORE of the environment.
 *
 * Exit codes: 0 done, 1 refused, 2 could not tell.
 */

declare(strict_types=1);

use Flagstone\Laravel\Changes\Binary;
use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Value;
use Illuminate\Contracts\Console\Kernel;

require_once __DIR__ . '/src/Changes/Binary.php';
require_once __DIR__ . '/src/Changes/Result.php';
require_once __DIR__ . '/src/Value.php';

exit((/** @param list<string> $arguments */ static function (array $arguments): int {
    $fail = static function (int $code, string $text): int {
        \fwrite(\STDERR, "toggle-feature-flag: $text\n");

        return $code;
    };
    // Where artisan is, seen from Composer's own folder for commands: the folder of composer.json, at the latest, and none that
    // everybody can write. A package that Composer linked lies elsewhere, so its own place counts only where it is
    // vendor/flagstone/laravel.
    $application = static function (): ?string {
        $bin = $GLOBALS['_composer_bin_dir'] ?? null;
        if (!\is_string($bin)) {
            return \is_file(\dirname(__DIR__, 2) . '/autoload.php') && \is_file(\dirname(__DIR__, 3) . '/artisan')
                ? \dirname(__DIR__, 3)
                : null;
        }
        for ($root = \realpath($bin); $root !== false && $root !== '/'; $root = \dirname($root)) {
            if (\is_file("$root/artisan")) {
                return ((int) \fileperms($root) & 0002) === 0 ? $root : null;
            }
            if (\is_file("$root/composer.json")) {
                break;
            }
        }

        return null;
    };
    [$environment, $flag, $value, $reason] = [$arguments[1] ?? '', $arguments[2] ?? '', $arguments[3] ?? '', $arguments[4] ?? ''];
    if (!\in_array(\count($arguments), [4, 5], true) || !\in_array($value, ['true', 'false'], true) || $flag === '') {
        return $fail(2, 'expected ENV FLAG true|false [REASON], such as: production customer_portal true');
    }

    $root = $application();
    $named = (string) \getenv('FLAGSTONE_STORE');
    if ($root === null && $named === '') {
        return $fail(2, 'found no application: call it as vendor/bin/toggle-feature-flag.php, or name the store in FLAGSTONE_STORE');
    }
    [$store, $binary] = [$named, null];
    if ($root !== null) {
        try {
            $autoload = (string) ($GLOBALS['_composer_autoload_path'] ?? '');
            require_once \is_file($autoload) ? $autoload : "$root/vendor/autoload.php";
            $app = require "$root/bootstrap/app.php";
            $app->make(Kernel::class)->bootstrap();
            $changer = $app->make(Changer::class);
            if ($changer->isFile()) {
                return $fail(1, "flags.json itself answers in $root (the driver is \"file\"): php artisan feature:enable, or feature:disable");
            }
            $problem = $changer->storeProblem();
            if ($problem !== null) {
                return $fail(1, "nothing was changed: $problem");
            }
            [$store, $binary] = [(string) $changer->directory(), $changer->binary()];
        } catch (Throwable $problem) {
            $problem = "the application in $root does not start: {$problem->getMessage()}";
            if ($named === '') {
                return $fail(2, "$problem; name the store in FLAGSTONE_STORE");
            }
            \fwrite(\STDERR, "toggle-feature-flag: warning: $problem\n");
        }
    }
    $binary ??= new Binary(((string) \getenv('FLAGSTONE_BINARY')) ?: null);

    $status = $binary->run(['status', "--store=$store", '--json']);
    $there = Value::text($status->data(), 'store', 'environment');
    if ($there === null) {
        return $fail($status->code ?: Result::UNKNOWN, $status->error);
    }
    if ($there !== $environment) {
        return $fail(1, "$store is the store of $there, not of $environment; nothing was changed");
    }

    // FEATURE_CUSTOMER_PORTAL and customer_portal are one flag.
    $listed = $binary->run(['list', "--store=$store", '--json'])->data();
    $flags = \array_map(static fn (mixed $listed): ?string => Value::text($listed, 'flag'), Value::items($listed, 'flags'));
    $lower = \strtolower($flag);
    foreach ([$flag, $lower, (string) \preg_replace('/^feature_/', '', $lower)] as $name) {
        if (\in_array($name, $flags, true)) {
            $flag = $name;
            break;
        }
    }
    $account = \function_exists('posix_geteuid') ? \posix_getpwuid(\posix_geteuid()) : ['name' => \get_current_user()];
    $user = Value::text($account, 'name') ?? '';
    $result = $binary->run([
        $value === 'true' ? 'enable' : 'disable',
        "--store=$store",
        '--yes',
        '--reason=' . ($reason !== '' ? $reason : "toggle-feature-flag.php, typed by $user"),
        '--',
        $flag,
    ]);
    if ($result->text !== '') {
        echo $result->text, "\n";
    }

    return $result->error === '' ? $result->code : $fail($result->code, $result->error);
})($argv));
