<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Testing;

use BackedEnum;
use Flagstone\Laravel\Drivers\FunctionsDriver;
use Flagstone\Laravel\Flagstone;
use Illuminate\Contracts\Container\Container;
use InvalidArgumentException;

/**
 * Puts a FakeDriver in place for as long as the application lives, which in Laravel's test cases is one test.
 *
 * @internal
 */
final class Fake
{
    /** Under this name the container holds what ends the fake when the application is flushed. */
    private const HELD = 'flagstone.fake';

    /**
     * @param array<array-key, mixed> $answers by flag: true or false, a variant's name or a Variant, or an array of those
     *     by company
     * @param ?bool $otherwise for what is not named; null: as the definitions say
     * @throws InvalidArgumentException for an answer that is none of these
     */
    public static function install(Container $app, array $answers, ?bool $otherwise): FakeDriver
    {
        $flagstone = $app->make(Flagstone::class);
        // Before the driver, so that a driver "file" without a file has something to say.
        $app->instance(self::HELD, Overrides::tell(self::simplified($answers), $otherwise));
        try {
            $driver = $flagstone->driver();
        } catch (InvalidArgumentException) {
            // "native" is configured, and this machine runs its tests without the extension.
            $driver = new FunctionsDriver('fake', null);
        }
        $fake = new FakeDriver($driver instanceof FakeDriver ? $driver->faked() : $driver, $answers, $flagstone->subject(...));
        $flagstone->setDriver($fake);

        return $fake;
    }

    /**
     * As flagstone_override() takes them.
     *
     * @param array<array-key, mixed> $answers
     * @return array<array-key, bool|string|array<array-key, bool|string>>
     */
    private static function simplified(array $answers): array
    {
        $simplified = [];
        foreach ($answers as $flag => $answer) {
            $simplified[$flag] = \is_array($answer)
                ? \array_map(static fn (mixed $one): bool|string => self::simple($one, (string) $flag), $answer)
                : self::simple($answer, (string) $flag);
        }

        return $simplified;
    }

    private static function simple(mixed $answer, string $flag): bool|string
    {
        return match (true) {
            \is_bool($answer), \is_string($answer) => $answer,
            $answer instanceof Variant => $answer->name,
            $answer instanceof BackedEnum => (string) $answer->value,
            default => throw new InvalidArgumentException(\sprintf(
                'Flagstone::fake(): the answer for "%s" is %s, expected true, false, a variant\'s name, a Variant, or an array of those by company',
                $flag,
                \get_debug_type($answer),
            )),
        };
    }
}
