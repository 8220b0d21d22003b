<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Changes;

use Flagstone\Laravel\SharedFile;
use Flagstone\Laravel\Value;

/**
 * Caches results of the command for a few seconds in files that all PHP workers share: however often a route is requested, one
 * process runs at a time, and one every few seconds. A failure is cached like any other result.
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
        $file = new SharedFile("$this->folder/flagstone-$name.json");
        $kept = self::kept($file, self::FRESH);
        if ($kept !== null) {
            return $kept;
        }
        $lock = $file->lock();
        if ($lock === false) {
            return Result::unknown("cannot write $file->path.lock; let the web server's user write $this->folder");
        }
        if ($lock === null) {
            return self::kept($file, self::STALE) ?? Result::unknown('another request runs the command; try again in a few seconds');
        }
        try {
            // Another worker may have stored a result meanwhile.
            return self::kept($file, self::FRESH) ?? self::keep($file, $run());
        } finally {
            \flock($lock, \LOCK_UN);
            \fclose($lock);
        }
    }

    private static function kept(SharedFile $file, float $seconds): ?Result
    {
        $found = $file->read();
        $at = $found['at'] ?? null;
        $age = \microtime(true) - (\is_numeric($at) ? (float) $at : 0.0);
        $code = Value::int($found, 'code');
        if ($code === null || $age < 0.0 || $age >= $seconds) {
            return null;
        }

        return new Result($code, Value::text($found, 'text') ?? '', Value::text($found, 'error') ?? '');
    }

    private static function keep(SharedFile $file, Result $result): Result
    {
        // The time as a text, which serialize_precision does not round.
        $at = \sprintf('%.6F', \microtime(true));
        if (!$file->write(['at' => $at, 'code' => $result->code, 'text' => $result->text, 'error' => $result->error])) {
            // Without a file the next request would run the command again.
            return Result::unknown("cannot write $file->path; let the web server's user write the folder");
        }

        return $result;
    }
}
