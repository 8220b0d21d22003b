<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Illuminate\Container\Container;
use Illuminate\View\View;

/**
 * A view that acts for the subject that it was made for, whenever it is rendered.
 *
 * @internal
 */
final class ActingView extends View
{
    private ?Subject $subject = null;

    /** Binds a view; one of another class than Laravel's stays as it is. */
    public static function of(View $view, Subject $subject): View
    {
        if ($view::class !== View::class) {
            return $view;
        }
        $acting = new self($view->getFactory(), $view->getEngine(), $view->name(), $view->getPath(), $view->getData());
        $acting->subject = $subject;

        return $acting;
    }

    protected function renderContents(): string
    {
        return Container::getInstance()->make(Subjects::class)->acting(
            $this->subject ?? new Subject(),
            fn (): string => parent::renderContents(),
        );
    }
}
