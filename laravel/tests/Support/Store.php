<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use RuntimeException;

/**
 * The store of this test process, and the command that changes it.
 */
final class Store
{
    private static ?string $path = null;
    /** @var array<string, bool|array<string, mixed>> as published last */
    private static array $flags = [];

    public static function path(): string
    {
        if (self::$path === null) {
            self::$path = self::unused('store');
            self::initialize(self::$path);
        }

        return self::$path;
    }

    public static function initialize(string $path): void
    {
        self::run('init', $path, '--environment', 'testing');
    }

    /** A directory that only this user can write. */
    public static function directory(): string
    {
        return self::setting('FLAGSTONE_TEST_DIR');
    }

    /** A path in it that no test has had: the system gives the number of a process that ended to another one. */
    public static function unused(string $name): string
    {
        return self::directory() . '/' . \bin2hex(\random_bytes(8)) . "-$name";
    }

    /**
     * @param array<string, bool|array<string, mixed>> $flags
     * @param array<string, mixed> $more
     */
    public static function publish(array $flags, array $more = []): void
    {
        // A publish deletes nothing; what no longer is wanted is turned off first.
        $left = \array_diff_key(self::$flags, $flags);
        if ($left !== []) {
            self::file(\array_map(static fn (): bool => false, $left));
        }
        self::file($flags, $more);
        self::$flags = $flags;
    }

    /**
     * @param array<string, bool|array<string, mixed>> $flags
     * @param array<string, mixed> $more
     */
    private static function file(array $flags, array $more = []): void
    {
        $file = self::unused('flags.json');
        \file_put_contents($file, \json_encode(['flags' => (object) $flags] + $more, \JSON_THROW_ON_ERROR));
        self::command('publish', $file, '--reset', '*', '--prune', '--yes');
    }

    public static function command(string ...$arguments): string
    {
        return self::run(...$arguments, ...['--store', self::path()]);
    }

    public static function run(string ...$arguments): string
    {
        $command = \implode(' ', \array_map(\escapeshellarg(...), [self::setting('FLAGSTONE_BIN'), ...$arguments]));
        \exec($command . ' 2>&1', $lines, $status);
        $printed = \implode("\n", $lines);
        if ($status !== 0) {
            throw new RuntimeException("$command: exit $status: $printed");
        }

        return $printed;
    }

    private static function setting(string $name): string
    {
        return \getenv($name) ?: throw new RuntimeException("$name is not set: run laravel/tests/run");
    }
}
