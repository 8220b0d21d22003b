<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Contracts\SubjectResolver;
use Illuminate\Container\Container;
use Illuminate\Http\Request;

/**
 * Who is asking, now. Found once per request and kept with the request, so that nothing is left for the next one.
 */
final class Subjects
{
    private const KEPT = 'flagstone.subject';

    /** @var list<Subject> the innermost actingFor() last */
    private array $acting = [];

    /** @param list<SubjectResolver> $resolvers the first that finds a company wins */
    public function __construct(private readonly array $resolvers)
    {
    }

    public function current(): Subject
    {
        if ($this->acting !== []) {
            return $this->acting[\count($this->acting) - 1];
        }
        $app = Container::getInstance();

        return $app->bound('request') ? $this->of($app->make('request')) : new Subject();
    }

    /** For a request in hand. */
    public function of(Request $request): Subject
    {
        if ($this->acting !== []) {
            return $this->acting[\count($this->acting) - 1];
        }
        $kept = $request->attributes->get(self::KEPT);
        if ($kept instanceof Subject) {
            return $kept;
        }
        $subject = $this->resolve($request);
        // A guest may still sign in. A request without a route is a console's, and lives as long as the process.
        if ($subject->company !== null && $request->route() !== null) {
            $request->attributes->set(self::KEPT, $subject);
        }

        return $subject;
    }

    /** Finds out anew at the next question: somebody signed in or out, or the tenant changed. */
    public function forget(): void
    {
        $app = Container::getInstance();
        if ($app->resolved('request')) {
            $app->make('request')->attributes->remove(self::KEPT);
        }
    }

    /**
     * Everything that the closure asks is asked for this subject. Nests.
     *
     * @template T
     * @param Closure(): T $do
     * @return T
     */
    public function acting(Subject $subject, Closure $do): mixed
    {
        $this->acting[] = $subject;
        try {
            return $do();
        } finally {
            \array_pop($this->acting);
        }
    }

    private function resolve(Request $request): Subject
    {
        $nobody = null;
        foreach ($this->resolvers as $resolver) {
            $subject = $resolver->resolve($request);
            if ($subject?->company !== null) {
                return $subject;
            }
            $nobody ??= $subject;
        }

        return $nobody ?? new Subject();
    }
}
