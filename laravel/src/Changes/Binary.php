<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

/**
 * The command `flagstone`. It is run as it is, without a shell. Needs nothing of Laravel.
 */
final class Binary
{
    /** Seconds that a page waits for the command, at most. */
    public const TIMEOUT = 5.0;
    public const INSTALL = 'Install it with `make install` in Flagstone\'s sources, which puts it into /usr/local/bin,'
        . ' or name it in FLAGSTONE_BINARY';

    /** @param ?string $configured its path; null looks for it on PATH */
    public function __construct(private readonly ?string $configured)
    {
    }

    /** Null where there is none. */
    public function path(): ?string
    {
        if ($this->configured !== null && $this->configured !== '') {
            return self::runs($this->configured) ? $this->configured : null;
        }
        $path = \getenv('PATH') ?: '/usr/local/bin:/usr/bin:/bin';
        foreach (\explode(\PATH_SEPARATOR, $path) as $folder) {
            // A relative folder would be looked for where the process happens to be.
            if (\str_starts_with($folder, '/') && self::runs("$folder/flagstone")) {
                return "$folder/flagstone";
            }
        }

        return null;
    }

    /**
     * @param list<string> $arguments
     * @param ?resource $input a file that the command reads as its standard input
     * @param ?float $timeout in seconds, after which the command is killed; null: as long as it takes
     */
    public function run(array $arguments, mixed $input = null, ?float $timeout = null): Result
    {
        $path = $this->path();
        if ($path === null) {
            $where = $this->configured !== null && $this->configured !== '' ? $this->configured : 'on PATH';

            return Result::refused("The command `flagstone` is not there ($where). " . self::INSTALL);
        }
        if (!\function_exists('proc_open')) {
            return Result::unknown('PHP may not run commands here: disable_functions in php.ini names proc_open');
        }
        // A file, so that neither of two pipes can fill up while the other is read.
        $errors = \tmpfile();
        if ($errors === false) {
            return Result::unknown('cannot write to the directory for temporary files');
        }
        $pipes = [];
        $streams = [$input ?? ['file', '/dev/null', 'r'], ['pipe', 'w'], $errors];
        $process = @\proc_open([$path, ...$arguments], $streams, $pipes);
        if ($process === false || !isset($pipes[1])) {
            return Result::unknown("cannot run $path");
        }
        $text = $timeout === null ? \stream_get_contents($pipes[1]) : self::read($pipes[1], $timeout);
        \fclose($pipes[1]);
        if ($text === null) {
            // SIGKILL, which it cannot ignore: proc_close() waits for its end.
            \proc_terminate($process, 9);
            \proc_close($process);

            return Result::unknown("$path gave no answer within $timeout s");
        }
        $code = \proc_close($process);
        \rewind($errors);
        $error = \trim((string) \stream_get_contents($errors));

        return new Result(
            \in_array($code, [Result::DONE, Result::REFUSED, Result::ELSEWHERE], true) ? $code : Result::UNKNOWN,
            \rtrim((string) $text, "\n"),
            (string) \preg_replace('/^flagstone: /m', '', $error),
        );
    }

    /**
     * All that the command prints; null where it has not ended in time.
     *
     * @param resource $pipe
     */
    private static function read(mixed $pipe, float $timeout): ?string
    {
        \stream_set_blocking($pipe, false);
        $end = \microtime(true) + $timeout;
        $text = '';
        while (!\feof($pipe)) {
            $left = (int) (1e6 * ($end - \microtime(true)));
            if ($left <= 0) {
                return null;
            }
            [$read, $write, $except] = [[$pipe], null, null];
            if (\stream_select($read, $write, $except, \intdiv($left, 1_000_000), $left % 1_000_000)) {
                $text .= (string) \fread($pipe, 1 << 16);
            }
        }

        return $text;
    }

    private static function runs(string $path): bool
    {
        return @\is_file($path) && @\is_executable($path);
    }
}
