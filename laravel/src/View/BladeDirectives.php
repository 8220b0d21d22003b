<?php

declare(strict_types=1);

namespace Flagstone\Laravel\View;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\LoadedProviders;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\View\Compilers\BladeCompiler;
use UnitEnum;

/**
 * @flagstone('customer_portal') … @else … @endflagstone, and @feature likewise if Laravel Pennant is absent. A second argument
 * asks for another company than the current one. @flagstonepeek only looks: for a layout, whose menu is on every page and does
 * not show the feature.
 *
 * @internal
 */
final class BladeDirectives
{
    private const PENNANT = 'Laravel\Pennant\PennantServiceProvider';

    public function register(BladeCompiler $blade, Application $app): void
    {
        $blade->if('flagstone', self::asks(...));
        $blade->if('flagstonepeek', self::looks(...));
        if (!isset(LoadedProviders::of($app)[self::PENNANT]) && !isset($blade->getCustomDirectives()['feature'])) {
            $blade->if('feature', self::asks(...));
        }
    }

    private static function asks(string|UnitEnum $flag, mixed ...$company): bool
    {
        return self::questions(false, $company)->enabled($flag);
    }

    private static function looks(string|UnitEnum $flag, mixed ...$company): bool
    {
        return self::questions(true, $company)->enabled($flag);
    }

    /** @param array<array-key, mixed> $company */
    private static function questions(bool $look, array $company): Questions
    {
        $flagstone = Container::getInstance()->make(Flagstone::class);
        $subject = $company === [] ? $flagstone->subject() : Subject::of(...$company);

        return new Questions($flagstone, $subject, $look);
    }
}
