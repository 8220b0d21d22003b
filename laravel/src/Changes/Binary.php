<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

/**
 * The command `flagstone`, run without a shell. Needs nothing of Laravel.
 */
final class Binary
{
    /** Maximum seconds that a page waits for the command. */
    public const TIMEOUT = 5.0;
    public const INSTALL = 'Install it with `make install` in Flagstone\'s sources, which puts it into /usr/local/bin,'
        . ' or name it in FLAGSTONE_BINARY';

    /** Folders that are searched in addition to PATH. */
    private const INSTALLED = ['/usr/local/bin', '/usr/bin', '/bin'];

    /** Bytes that are read or written at once. */
    private const CHUNK = 65_536;

    /** The exit code of a process that could not become the command. */
    private const NOT_RUN = 127;

    /** What proc_close() returns where something else has waited for the process, as the kernel does for a PHP that ignores SIGCHLD. */
    private const LOST = -1;

    /**
     * @param ?string $configured its path; null looks for it on PATH
     * @param list<string> $installed folders that are searched in addition
     */
    public function __construct(private readonly ?string $configured, private readonly array $installed = self::INSTALLED)
    {
    }

    /** The command's path; null if there is none. */
    public function path(): ?string
    {
        if ($this->configured !== null && $this->configured !== '') {
            // A relative path would start at the process's working directory.
            return \str_starts_with($this->configured, '/') && self::runs($this->configured) ? $this->configured : null;
        }
        // Cron's PATH lacks the folder that `make install` installs into.
        $folders = [...\explode(\PATH_SEPARATOR, (string) \getenv('PATH')), ...$this->installed];
        foreach (\array_unique($folders) as $folder) {
            // A relative folder would start at the process's working directory.
            if (\str_starts_with($folder, '/') && self::runs("$folder/flagstone")) {
                return "$folder/flagstone";
            }
        }

        return null;
    }

    /**
     * @param list<string> $arguments
     * @param ?resource $input a stream that the command reads as its standard input
     * @param ?float $timeout in seconds, after which the command is killed; null: no limit
     */
    public function run(array $arguments, mixed $input = null, ?float $timeout = null): Result
    {
        $path = $this->path();
        if ($path === null) {
            $where = $this->configured === null || $this->configured === '' ? 'on PATH' : $this->configured
                . (\str_starts_with($this->configured, '/') ? '' : ', which is no absolute path');

            return Result::refused("The command `flagstone` is not there ($where). " . self::INSTALL);
        }
        if (!\function_exists('proc_open')) {
            return Result::unknown('PHP may not run commands here: disable_functions in php.ini names proc_open');
        }
        // Uses pipes alone: files may be missing if a disk is full, or if open_basedir keeps /dev/null out.
        $pipes = [];
        $process = @\proc_open([$path, ...$arguments], [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
        if ($process === false || !isset($pipes[0], $pipes[1], $pipes[2])) {
            return Result::unknown("cannot run $path");
        }
        $said = self::talk($pipes[0], $pipes[1], $pipes[2], $input, $timeout);
        if ($said === null) {
            // SIGKILL, which it cannot ignore: proc_close() waits for its end.
            \proc_terminate($process, 9);
            \proc_close($process);

            return new Result(Result::UNKNOWN, '', "$path gave no answer within $timeout s");
        }
        [$text, $error] = $said;
        $code = \proc_close($process);
        if ($code === self::NOT_RUN && $text === '') {
            return Result::unknown("cannot run $path");
        }
        $error = \trim($error);
        if ($code === self::LOST) {
            $error = \trim("cannot tell what came of it: the exit code of $path is lost, for this PHP ignores SIGCHLD or waits for all its children. "
                . "Look with feature:show or feature:history\n$error");
        }

        return new Result(
            \in_array($code, [Result::DONE, Result::REFUSED, Result::ELSEWHERE], true) ? $code : Result::UNKNOWN,
            \rtrim($text, "\n"),
            (string) \preg_replace('/^flagstone: /m', '', $error),
        );
    }

    /**
     * Reads all output of the command; null if it did not end in time.
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

    /**
     * Writes the input and reads both outputs as they come, so that none of the three pipes fills up while another is waited for.
     *
     * @param resource $to
     * @param resource $text
     * @param resource $error
     * @param ?resource $input
     * @return ?array{string, string} null if the command did not end in time
     */
    private static function talk(mixed $to, mixed $text, mixed $error, mixed $input, ?float $timeout): ?array
    {
        $end = $timeout === null ? null : \microtime(true) + $timeout;
        $said = ['', ''];
        $open = [$text, $error];
        $rest = '';
        if ($input === null) {
            \fclose($to);
            $to = null;
        }
        foreach ([$to, $text, $error] as $pipe) {
            $pipe !== null && \stream_set_blocking($pipe, false);
        }
        while ($open !== []) {
            $read = $open;
            $write = $to === null ? [] : [$to];
            $except = null;
            $left = $end === null ? 1_000_000 : (int) (1e6 * ($end - \microtime(true)));
            if ($left <= 0) {
                return null;
            }
            // False if a signal came.
            if (@\stream_select($read, $write, $except, \intdiv($left, 1_000_000), $left % 1_000_000) === false) {
                continue;
            }
            if ($write !== [] && $to !== null && $input !== null) {
                $rest = $rest === '' ? (string) \fread($input, self::CHUNK) : $rest;
                // False if the command no longer reads.
                $written = $rest === '' ? false : @\fwrite($to, $rest);
                $rest = $written === false ? '' : \substr($rest, $written);
                if ($written === false || $rest === '' && \feof($input)) {
                    \fclose($to);
                    $to = null;
                }
            }
            foreach ($read as $pipe) {
                $said[$pipe === $text ? 0 : 1] .= (string) \fread($pipe, self::CHUNK);
                if (\feof($pipe)) {
                    \fclose($pipe);
                    $open = \array_values(\array_filter($open, static fn (mixed $other): bool => $other !== $pipe));
                }
            }
        }
        $to !== null && \fclose($to);

        return $said;
    }

    /** True if the file can be run. Under open_basedir PHP cannot look at most paths, but can run them: then the command itself tells. */
    private static function runs(string $path): bool
    {
        if (@\is_file($path)) {
            return @\is_executable($path);
        }
        if ((string) \ini_get('open_basedir') === '' || !\function_exists('proc_open')) {
            return false;
        }
        $pipes = [];
        $process = @\proc_open([$path, '--version'], [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
        if ($process === false || !isset($pipes[0], $pipes[1], $pipes[2])) {
            return false;
        }
        $said = self::talk($pipes[0], $pipes[1], $pipes[2], null, self::TIMEOUT);
        if ($said === null) {
            \proc_terminate($process, 9);
        }

        return \in_array(\proc_close($process), [0, self::LOST], true) && \str_starts_with($said[0] ?? '', 'flagstone ');
    }
}
