<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Facades;

use Flagstone\Laravel\Testing\Fake;
use Flagstone\Laravel\Testing\FakeDriver;
use Illuminate\Support\Facades\Facade;

/**
 * @method static bool enabled(string|\UnitEnum $flag, array $context = [])
 * @method static bool disabled(string|\UnitEnum $flag, array $context = [])
 * @method static mixed when(string|\UnitEnum $flag, \Closure $on, ?\Closure $off = null, array $context = [])
 * @method static mixed unless(string|\UnitEnum $flag, \Closure $off, ?\Closure $on = null, array $context = [])
 * @method static bool allAreActive(iterable $flags, array $context = [])
 * @method static bool someAreActive(iterable $flags, array $context = [])
 * @method static bool possible(string|\UnitEnum $flag)
 * @method static ?string variant(string|\UnitEnum $flag, array $context = [])
 * @method static mixed value(string|\UnitEnum $flag, mixed $default = null, array $context = [])
 * @method static array explain(string|\UnitEnum $flag, array $context = [])
 * @method static array all(array $context = [])
 * @method static array filter(string|\UnitEnum $flag, iterable $companies, array $context = [])
 * @method static \Flagstone\Laravel\Questions for(mixed $company, array $context = [])
 * @method static \Flagstone\Laravel\Questions peek()
 * @method static mixed actingFor(mixed $company, \Closure $do, array $context = [])
 * @method static void track(string $event, float $value = 1.0)
 * @method static \Flagstone\Laravel\Integrations\SharedFlags shared()
 * @method static \Flagstone\Laravel\Subject\Subject subject()
 * @method static \Flagstone\Laravel\Contracts\Driver driver()
 * @method static void setDriver(\Flagstone\Laravel\Contracts\Driver $driver)
 * @method static void extend(string $name, \Closure $maker)
 * @method static void forgetSubject()
 * @method static string key(string|\UnitEnum $flag)
 *
 * @see \Flagstone\Laravel\Flagstone
 */
final class Flagstone extends Facade
{
    /**
     * For tests: sets answers until the test ends, also of the global functions, and records the questions.
     *
     * @param array<array-key, mixed> $answers by flag: true or false, a variant's name or a Variant, or an array of those
     *     by company
     * @param ?bool $otherwise for all other flags; null: as the definitions say
     */
    public static function fake(array $answers = [], ?bool $otherwise = false): FakeDriver
    {
        return Fake::install(self::getFacadeApplication(), $answers, $otherwise);
    }

    protected static function getFacadeAccessor(): string
    {
        return 'flagstone';
    }
}
