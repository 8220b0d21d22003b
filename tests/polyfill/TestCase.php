<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\Tests;

use PHPUnit\Framework\TestCase as PhpunitTestCase;

/** A test of the polyfill in plain PHP, with the command `flagstone` beside it. */
abstract class TestCase extends PhpunitTestCase
{
    protected const ROOT = __DIR__ . '/../..';

    private static int $number = 0;

    public static function setUpBeforeClass(): void
    {
        self::assertFalse(\extension_loaded('flagstone'), "these are the polyfill's tests: run them without the extension");
    }

    /**
     * Runs PHP in a process of its own.
     *
     * @param array<string, string> $settings as in php.ini
     * @return string what it printed
     */
    protected static function php(string $code, array $settings = []): string
    {
        \exec(self::line($code, $settings) . ' 2>&1', $output);

        return \implode("\n", $output);
    }

    /** @param array<string, string> $settings */
    protected static function line(string $code, array $settings = []): string
    {
        $line = \escapeshellarg(\PHP_BINARY) . ' -n';
        foreach ($settings as $name => $value) {
            $line .= ' -d ' . \escapeshellarg("$name=$value");
        }
        $boot = \var_export(self::ROOT . '/polyfill/bootstrap.php', true);

        return "$line -r " . \escapeshellarg("require $boot; $code");
    }

    protected static function command(string ...$arguments): string
    {
        $line = \implode(' ', \array_map(\escapeshellarg(...), [(string) \getenv('FLAGSTONE_BIN'), ...$arguments]));
        \exec("$line 2>&1", $output, $code);
        self::assertSame(0, $code, \implode("\n", $output));

        return \implode("\n", $output);
    }

    /**
     * A fresh store that holds these flags.
     *
     * @param array<string, mixed> $flags
     */
    protected static function store(array $flags): string
    {
        $store = self::directory() . '/store-' . ++self::$number;
        self::command('--store', $store, 'init', '--environment', 'production');
        self::publish($store, $flags);

        return $store;
    }

    /** @param array<string, mixed> $flags */
    protected static function publish(string $store, array $flags): void
    {
        $file = self::definitions(['flags' => $flags]);
        self::command('--store', $store, 'publish', $file, '--reset', '*', '--prune', '--yes');
    }

    /** The newest snapshot's file. */
    protected static function snapshot(string $store): string
    {
        $files = \glob("$store/snapshots/*.snapshot") ?: [];
        \sort($files);

        return (string) \end($files);
    }

    /** A file of its own, with this in it. */
    protected static function definitions(mixed $document): string
    {
        $path = self::directory() . '/definitions-' . ++self::$number . '.json';
        \file_put_contents($path, \is_string($document) ? $document : \json_encode($document, \JSON_THROW_ON_ERROR));

        return $path;
    }

    protected static function directory(): string
    {
        return (string) \getenv('FLAGSTONE_TEST_DIR');
    }
}
