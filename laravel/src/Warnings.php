<?php

declare(strict_types=1);

namespace Flagstone\Laravel;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Drivers\DefinitionState;
use Flagstone\Laravel\Exceptions\IncomparableAttribute;
use Flagstone\Laravel\Exceptions\InvalidSetting;
use Flagstone\Laravel\Exceptions\UnknownCompany;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use Flagstone\Laravel\Subject\Subject;
use Flagstone\Polyfill\Attributes;
use Illuminate\Contracts\Foundation\Application;
use Throwable;

/**
 * Reports answers of off that look like mistakes: a flag that does not exist, a user without a company, no definitions at all.
 * Reports once per flag and hour, over all processes, by a file of their user's; if that cannot be written, once per process.
 * An attribute that cannot be compared is named once per flag, attribute and minute.
 */
final class Warnings
{
    private const SECONDS = 3600;
    private const ATTRIBUTE_SECONDS = 60;
    /** Maximum number of reports that are noted: a flag's name may come from a user. */
    private const MAX_NOTES = 1000;

    /** @var array<string, int> time of each report of this process, in Unix seconds */
    private array $said = [];

    /** @param SharedFile $notes times of all processes' reports, in Unix seconds */
    public function __construct(private readonly Application $app, private readonly SharedFile $notes)
    {
    }

    /**
     * @param array<string, mixed> $context the question's attributes
     * @throws UnknownFlag if mistakes are exceptions here
     */
    public function off(string $flag, Subject $subject, Driver $driver, array $context = []): void
    {
        $explained = $driver->explain($flag, $subject->company, $context);
        $reason = $explained['reason'];
        $this->unknownAttributes($flag, $explained);
        if ($reason === 'unknown_flag') {
            $status = $driver->status();
            $problem = DefinitionState::problem($status);
            if ($problem !== null) {
                $this->degraded($problem);
            } elseif (!\in_array($flag, $status['killed'], true)) {
                $this->unknown(UnknownFlag::named($flag, $driver->names()));
            }
        } elseif ($reason === 'no_snapshot') {
            $this->none($driver->status()['last_error']);
        } elseif ($reason === 'no_company' && $subject->signedIn) {
            $this->say("no-company:$flag", "Flag \"$flag\" is off because the signed-in user has no company."
                . ' config/flagstone.php, subject, says where a user\'s company is found.');
        }
    }

    /**
     * Checks attributes before the question is asked: those that cannot be compared, and, if that throws, those whose type the
     * flag's rules do not compare.
     *
     * @param array<string, mixed> $context the question's attributes
     * @param list<string> $reads the attributes that the flag reads
     * @throws IncomparableAttribute if mistakes are exceptions here
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

    /** @param array<array-key, mixed> $explained result of explain(); another driver's may lack the key */
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
     * Reports a flag asked for a subject whose company cannot be determined.
     *
     * @param string $problem the reason
     * @throws UnknownCompany if mistakes are exceptions here
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

    /** Reports a Pennant scope whose meaning is not configured. */
    public function unknownScope(string $flag, mixed $scope): void
    {
        $type = \get_debug_type($scope);
        $this->say("scope:$flag:$type", "Pennant feature \"$flag\" is off because it was asked for a scope of type $type."
            . ' config/flagstone.php, pennant.scopes, says what company a scope is.');
    }

    /** Reports a setting that is not valid. */
    public function setting(InvalidSetting $problem): void
    {
        $this->say('setting:' . \md5($problem->getMessage()), "{$problem->getMessage()} (php artisan feature:doctor)");
    }

    /** Reports that no definitions answer. */
    public function none(?string $error): void
    {
        $this->say('none:' . \md5((string) $error), 'Every flag is off, for there are no definitions to answer from: '
            . ($error ?? 'nothing is published') . ' (php artisan feature:doctor)');
    }

    /** Reports that older definitions answer than are published. */
    public function degraded(string $error): void
    {
        $this->say('degraded:' . \md5($error), "Flags are answered from older definitions than are published: $error");
    }

    /** Reports a monitoring route without an answer. */
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

    /** True if mistakes of the calling code are exceptions here. */
    private function throws(): bool
    {
        return Config::of($this->app)->throwsUnknown($this->app);
    }

    private function say(string $what, string $message, int $seconds = self::SECONDS): void
    {
        $now = \time();
        if (self::isRecent($this->said[$what] ?? null, $now, $seconds)) {
            return;
        }
        $this->said[$what] = $now;
        if (!$this->isFirst($what, $now, $seconds)) {
            return;
        }
        try {
            $this->app->make('log')->warning($message);
        } catch (Throwable $problem) {
            \error_log("flagstone: $message ({$problem->getMessage()})");
        }
    }

    /** Notes the report; true, too, if it cannot be noted. */
    private function isFirst(string $what, int $now, int $seconds): bool
    {
        // Servers may share the folder, but have their own log and store.
        $note = \md5(\gethostname() . ":$what");
        try {
            if (self::isRecent($this->notes->read()[$note] ?? null, $now, $seconds)) {
                return false;
            }
            $lock = $this->notes->lock();
            if (!\is_resource($lock)) {
                return true;
            }
            $notes = \array_filter($this->notes->read(), static fn (mixed $at): bool => self::isRecent($at, $now, self::SECONDS));
            if (self::isRecent($notes[$note] ?? null, $now, $seconds)) {
                return false;
            }
            $this->notes->write(\array_slice([...$notes, $note => $now], -self::MAX_NOTES));
        } catch (Throwable) {
            // A function may be disabled.
        }

        return true;
    }

    private static function isRecent(mixed $at, int $now, int $seconds): bool
    {
        return \is_int($at) && $at > $now - $seconds && $at <= $now;
    }
}
