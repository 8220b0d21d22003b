<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Exceptions\IncomparableAttribute;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Exceptions\UnknownCompany;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Polyfill\Attributes;
use Illuminate\Contracts\Foundation\Application;
use Throwable;

/**
 * Says so where an off looks like a mistake: a flag that does not exist, a user without a company, no definitions at
 * all. Once per flag and hour, over all processes, by the application's cache; where the cache fails, once per process.
 * An attribute that cannot be compared is named once per flag, attribute and minute.
 */
final class Warnings
{
    private const SECONDS = 3600;
    private const ATTRIBUTE_SECONDS = 60;

    /** @var array<string, float> when this process said what, in Unix seconds */
    private array $said = [];

    public function __construct(private readonly Application $app)
    {
    }

    /**
     * @param array<string, mixed> $context what was sent along
     * @throws UnknownFlag where flags that do not exist are not to pass in silence
     */
    public function off(string $flag, Subject $subject, Driver $driver, array $context = []): void
    {
        $explained = $driver->explain($flag, $subject->company, $context);
        $reason = $explained['reason'];
        $this->unknownAttributes($flag, $explained);
        if ($reason === 'unknown_flag') {
            $this->unknown(UnknownFlag::named($flag, $driver->names()));
        } elseif ($reason === 'no_snapshot') {
            $this->none($driver->status()['last_error']);
        } elseif ($reason === 'no_company' && $subject->signedIn) {
            $this->say("no-company:$flag", "Flag \"$flag\" is off because the signed-in user has no company."
                . ' config/flagstone.php, subject, says where a user\'s company is found.');
        }
    }

    /**
     * Before the question is put: attributes that cannot be compared, and, where that throws, those that are not as the flag's
     * rules compare them.
     *
     * @param array<string, mixed> $context what is sent along
     * @param list<string> $reads the attributes that the flag reads
     * @throws IncomparableAttribute where that is not to pass in silence
     */
    public function attributes(string $flag, int|string|null $company, array $context, array $reads, Driver $driver): void
    {
        foreach ($reads as $name) {
            $value = $context[$name] ?? null;
            if (!Attributes::isComparable($value)) {
                $this->incomparable(IncomparableAttribute::of($flag, $name, Attributes::type($value)));
            }
        }
        if ($this->throws()) {
            $this->unknownAttributes($flag, $driver->explain($flag, $company, $context));
        }
    }

    /** @param array<array-key, mixed> $explained what explain() said; another driver's may lack the key */
    private function unknownAttributes(string $flag, array $explained): void
    {
        foreach (Value::items($explained, 'unknown') as $unknown) {
            [$name, $type, $expected] = [Value::text($unknown, 'attribute'), Value::text($unknown, 'type'), Value::text($unknown, 'expected')];
            if ($name !== null && $type !== null) {
                $this->incomparable(IncomparableAttribute::of($flag, $name, $type, $expected));
            }
        }
    }

    private function incomparable(IncomparableAttribute $problem): void
    {
        if ($this->throws()) {
            throw $problem;
        }
        $this->say("attribute:$problem->flag:$problem->attribute", $problem->getMessage(), self::ATTRIBUTE_SECONDS);
    }

    /**
     * A flag was asked for a subject whose company cannot be determined.
     *
     * @param string $problem why
     * @throws UnknownCompany where that is not to pass in silence
     */
    public function unknownCompany(string $flag, string $problem): void
    {
        $unknown = UnknownCompany::of($flag, $problem);
        if ($this->throws()) {
            throw $unknown;
        }
        $this->say('unknown-company:' . \md5($problem), $unknown->getMessage());
    }

    /** @throws InvalidSetting where mistakes are exceptions */
    public function askedEarly(InvalidSetting $mistake): void
    {
        if ($this->throws()) {
            throw $mistake;
        }
        $this->say('early:' . \md5((string) \preg_replace('/company \S+/', '', $mistake->getMessage())), $mistake->getMessage());
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
        if ($this->throws()) {
            throw $problem;
        }
        $this->say("unknown:$problem->flag", $problem->getMessage());
    }

    /** Whether mistakes of the code that asks are exceptions here. */
    private function throws(): bool
    {
        return Config::of($this->app)->throwsUnknown($this->app);
    }

    private function say(string $what, string $message, int $seconds = self::SECONDS): void
    {
        $now = \microtime(true);
        if (($this->said[$what] ?? 0.0) > $now - $seconds) {
            return;
        }
        $this->said[$what] = $now;
        try {
            $first = $this->app->make('cache')->store()->add("flagstone:said:$what", 1, $seconds);
        } catch (Throwable) {
            $first = true;
        }
        if ($first) {
            $this->app->make('log')->warning($message);
        }
    }
}
