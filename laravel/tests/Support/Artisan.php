<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Changes\Binary;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Contracts\Foundation\Application;
use RuntimeException;
use Symfony\Component\Console\Tester\CommandTester;

/**
 * Artisan commands, with what they print.
 */
trait Artisan
{
    /** What the last command printed. */
    protected string $printed = '';

    /**
     * A store that no other test sees: what commands change there is nobody else's.
     *
     * @param array<string, bool|array<string, mixed>> $flags
     */
    protected function ownStore(Application $app, array $flags): string
    {
        $store = Store::unused('own');
        $file = "$store.json";
        \file_put_contents($file, \json_encode(['flags' => (object) $flags], \JSON_THROW_ON_ERROR));
        $binary = new Binary((string) \getenv('FLAGSTONE_BIN'));
        if ($binary->run(['enable', '--help'])->code !== 0) {
            throw new RuntimeException(\getenv('FLAGSTONE_BIN') . ' is older than these sources: run make build');
        }
        foreach ([['init', $store, '--environment', 'testing'], ['publish', $file, '--store', $store]] as $arguments) {
            $result = $binary->run($arguments);
            if ($result->code !== 0) {
                throw new RuntimeException(\implode(' ', $arguments) . ": $result->text $result->error");
            }
        }
        $app->make('config')->set('flagstone.store', $store);
        $app->make('config')->set('flagstone.binary', \getenv('FLAGSTONE_BIN'));

        return $store;
    }

    /**
     * Runs a command with nobody there to answer questions.
     *
     * @param array<string, mixed> $arguments
     * @return int its exit code
     */
    protected function artisanCode(string $command, array $arguments = []): int
    {
        $kernel = $this->app->make(Kernel::class);
        if ($arguments === []) {
            $code = $kernel->call("$command --no-interaction");
        } else {
            $code = $kernel->call($command, $arguments + ['--no-interaction' => true]);
        }
        $this->printed = $kernel->output();

        return $code;
    }

    /**
     * Runs a command at whose questions somebody types these answers.
     *
     * @param array<string, mixed> $arguments
     * @return int its exit code
     */
    protected function artisanTyping(string $command, array $arguments, string ...$answers): int
    {
        $tester = new CommandTester($this->app->make(Kernel::class)->all()[$command]);
        $tester->setInputs(\array_values($answers));
        $code = $tester->execute($arguments);
        $this->printed = $tester->getDisplay();

        return $code;
    }
}
