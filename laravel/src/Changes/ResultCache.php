<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\LockFile;
use Flagstone\Laravel\Replacement;
use Flagstone\Laravel\Value;

/**
 * Caches results of the command for a few seconds in files that all PHP workers share: however often a route is requested, one
 * process runs at a time, and one every few seconds. A failure is cached like any other result. Does not use the application's
 * cache, which may be `array` or unavailable.
 */
final class ResultCache
{
    /** Seconds for which a result is served. */
    public const FRESH = 5.0;
    /** Seconds for which a result is served while another worker runs the command again. */
    private const STALE = 60.0;

    /** @param string $folder folder of the files, which only the application writes */
    public function __construct(private readonly string $folder)
    {
    }

    /** @param callable(): Result $run the command; called by one process at a time */
    public function get(string $name, callable $run): Result
    {
        $path = "$this->folder/flagstone-$name.json";
        $kept = self::kept($path, self::FRESH);
        if ($kept !== null) {
            return $kept;
        }
        $lock = LockFile::open("$path.lock");
        if ($lock === false) {
            return Result::unknown("cannot write $path.lock; let the web server's user write $this->folder");
        }
        if (!\flock($lock, \LOCK_EX | \LOCK_NB)) {
            return self::kept($path, self::STALE) ?? Result::unknown('another request runs the command; try again in a few seconds');
        }
        try {
            // Another worker may have stored a result meanwhile.
            return self::kept($path, self::FRESH) ?? self::keep($path, $run());
        } finally {
            \flock($lock, \LOCK_UN);
            \fclose($lock);
        }
    }

    private static function kept(string $path, float $seconds): ?Result
    {
        $found = Value::items(\json_decode((string) @\file_get_contents($path), true));
        $at = $found['at'] ?? null;
        $age = \microtime(true) - (\is_numeric($at) ? (float) $at : 0.0);
        $code = Value::int($found, 'code');
        if ($code === null || $age < 0.0 || $age >= $seconds) {
            return null;
        }

        return new Result($code, Value::text($found, 'text') ?? '', Value::text($found, 'error') ?? '');
    }

    private static function keep(string $path, Result $result): Result
    {
        $text = \json_encode(
            // As a text, which serialize_precision does not round.
            ['at' => \sprintf('%.6F', \microtime(true)), 'code' => $result->code, 'text' => $result->text, 'error' => $result->error],
            \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_INVALID_UTF8_SUBSTITUTE,
        );
        if (!Replacement::write($path, (string) $text, 0o600)) {
            // Without a file the next request would run the command again.
            return Result::unknown("cannot write $path; let the web server's user write the folder");
        }

        return $result;
    }
}
