<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Contracts\Foundation\Application;
use Throwable;

/**
 * Says so where an off looks like a mistake: a flag that does not exist, a user without a company, no definitions at
 * all. Once per flag and hour, over all processes, by the application's cache; where the cache fails, once per process.
 */
final class Warnings
{
    private const SECONDS = 3600;

    /** @var array<string, float> when this process said what, in Unix seconds */
    private array $said = [];

    public function __construct(private readonly Application $app)
    {
    }

    /** @throws UnknownFlag where flags that do not exist are not to pass in silence */
    public function off(string $flag, Subject $subject, Driver $driver): void
    {
        $reason = $driver->explain($flag, $subject->company)['reason'];
        if ($reason === 'unknown_flag') {
            $this->unknown(UnknownFlag::named($flag, $driver->names()));
        } elseif ($reason === 'no_snapshot') {
            $this->none($driver->status()['last_error']);
        } elseif ($reason === 'no_company' && $subject->signedIn) {
            $this->say("no-company:$flag", "Flag \"$flag\" is off because the signed-in user has no company."
                . ' config/flagstone.php, subject, says where a user\'s company is found.');
        }
    }

    /** Pennant asked for a scope that may be anything. */
    public function unknownScope(string $flag, mixed $scope): void
    {
        $type = \get_debug_type($scope);
        $this->say("scope:$flag:$type", "Pennant feature \"$flag\" is off because it was asked for a scope of type $type."
            . ' config/flagstone.php, pennant.scopes, says what company a scope is.');
    }

    /** No definitions answer. */
    public function none(?string $error): void
    {
        $this->say('none', 'Every flag is off, for there are no definitions to answer from: '
            . ($error ?? 'nothing is published') . ' (php artisan feature:doctor)');
    }

    /** Older definitions answer than are published. */
    public function degraded(string $error): void
    {
        $this->say('degraded:' . \md5($error), "Flags are answered from older definitions than are published: $error");
    }

    /** A monitoring route has no answer. */
    public function monitoring(string $error): void
    {
        $this->say('monitoring:' . \md5($error), "Flagstone's monitoring routes have no answer: $error");
    }

    private function unknown(UnknownFlag $problem): void
    {
        if (Config::of($this->app)->throwsUnknown($this->app)) {
            throw $problem;
        }
        $this->say("unknown:$problem->flag", $problem->getMessage());
    }

    private function say(string $what, string $message): void
    {
        $now = \microtime(true);
        if (($this->said[$what] ?? 0.0) > $now - self::SECONDS) {
            return;
        }
        $this->said[$what] = $now;
        try {
            $first = $this->app->make('cache')->store()->add("flagstone:said:$what", 1, self::SECONDS);
        } catch (Throwable) {
            $first = true;
        }
        if ($first) {
            $this->app->make('log')->warning($message);
        }
    }
}
