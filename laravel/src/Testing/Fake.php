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
    /** Key in the container of the object that ends the fake when the application is flushed. */
    private const HELD = 'flagstone.fake';

    /** Texts that are hardly a variant's name: such a name would turn a flag on. */
    private const NO_VARIANTS = ['', '0', '1', 'true', 'false', 'on', 'off', 'yes', 'no', 'null'];

    /**
     * @param array<array-key, mixed> $answers by flag: true or false, a variant's name or a Variant, or an array of those
     *     by company
     * @param ?bool $otherwise for all other flags; null: as the definitions say
     * @throws InvalidArgumentException for an answer that is none of these
     */
    public static function install(Container $app, array $answers, ?bool $otherwise): FakeDriver
    {
        $flagstone = $app->make(Flagstone::class);
        // Set before the driver, so that a driver "file" without a file can answer.
        $app->instance(self::HELD, Overrides::tell(self::simplified($answers), $otherwise));
        try {
            $driver = $flagstone->driver();
        } catch (InvalidArgumentException) {
            // "native" is configured, but this machine runs its tests without the extension.
            $driver = new FunctionsDriver('fake', null);
        }
        $fake = new FakeDriver($driver instanceof FakeDriver ? $driver->faked() : $driver, $answers, $flagstone->subject(...));
        $flagstone->setDriver($fake);

        return $fake;
    }

    /**
     * Converts answers to the form of flagstone_override().
     *
     * @param array<array-key, mixed> $answers
     * @return array<array-key, bool|string|array<array-key, bool|string>>
     */
    private static function simplified(array $answers): array
    {
        $simplified = [];
        foreach ($answers as $flag => $answer) {
            if (\is_int($flag) && \is_string($answer)) {
                throw new InvalidArgumentException("Flagstone::fake(): found \"$answer\" in a list, expected answers by flag: ['$answer' => true]");
            }
            $simplified[$flag] = \is_array($answer)
                ? \array_map(static fn (mixed $one): bool|string => self::simple($one, (string) $flag), $answer)
                : self::simple($answer, (string) $flag);
        }

        return $simplified;
    }

    private static function simple(mixed $answer, string $flag): bool|string
    {
        if (\is_string($answer) && \in_array(\strtolower($answer), self::NO_VARIANTS, true)) {
            throw new InvalidArgumentException("Flagstone::fake(): the answer for \"$flag\" is the text \"$answer\", which would be a variant's name: write true or false");
        }

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
