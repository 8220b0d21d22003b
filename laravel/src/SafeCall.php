<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Closure;
use Illuminate\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Throwable;

/**
 * Handles the package's own errors that must not end the application's work, such as a job.
 *
 * @internal
 */
final class SafeCall
{
    /**
     * Returns the closure's result; an error is reported, and `$otherwise` returned.
     *
     * @template T
     * @param T $otherwise
     * @param Closure(): T $do
     * @return T
     */
    public static function or(mixed $otherwise, Closure $do): mixed
    {
        try {
            return $do();
        } catch (Throwable $problem) {
            self::report($problem);

            return $otherwise;
        }
    }

    private static function report(Throwable $problem): void
    {
        try {
            Container::getInstance()->make(ExceptionHandler::class)->report($problem);
        } catch (Throwable) {
            \error_log('flagstone: ' . $problem->getMessage());
        }
    }
}
