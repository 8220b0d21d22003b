<?php

declare(strict_types=1);

namespace Flagstone\Laravel\View;

use Flagstone\Laravel\Flagstone;
use Flagstone\Laravel\Loaded;
use Flagstone\Laravel\Questions;
use Flagstone\Laravel\Subject\Subject;
use Illuminate\Container\Container;
use Illuminate\Contracts\Foundation\Application;
use Illuminate\View\Compilers\BladeCompiler;
use UnitEnum;

/**
 * @flagstone('customer_portal') … @else … @endflagstone, and @feature likewise where Laravel Pennant is absent. A
 * second argument asks for another company than the current one.
 *
 * @internal
 */
final class Registrar
{
    private const PENNANT = 'Laravel\Pennant\PennantServiceProvider';

    public function register(BladeCompiler $blade, Application $app): void
    {
        $blade->if('flagstone', self::asks(...));
        if (!isset(Loaded::providers($app)[self::PENNANT]) && !isset($blade->getCustomDirectives()['feature'])) {
            $blade->if('feature', self::asks(...));
        }
    }

    private static function asks(string|UnitEnum $flag, mixed ...$company): bool
    {
        $flagstone = Container::getInstance()->make(Flagstone::class);
        $subject = $company === [] ? $flagstone->subject() : Subject::of(...$company);
        $flag = Flagstone::key($flag);
        // Only a look: a layout that draws a menu on every page has not shown the feature.
        $enabled = (new Questions($flagstone, $subject, true))->enabled($flag);
        $flagstone->announce($flag, $subject, $enabled);

        return $enabled;
    }
}
