<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Resolvers\UserResolver;
use Illuminate\Container\Container;
use Illuminate\Foundation\Bus\PendingDispatch;
use Illuminate\Http\Request;

/**
 * Who is asking, now. Found once per request and kept with the request, so that nothing is left for the next one.
 */
final class Subjects
{
    private const KEPT = 'flagstone.subject';

    /** @var array<int, Subject> whom the running closures and jobs act for, the innermost last */
    private array $acting = [];

    private int $token = 0;

    /** @param list<SubjectResolver> $resolvers the first that finds a company wins */
    public function __construct(private readonly array $resolvers)
    {
    }

    public function current(): Subject
    {
        if ($this->acting !== []) {
            return $this->acting[\array_key_last($this->acting)];
        }
        $app = Container::getInstance();

        return $app->bound('request') ? $this->of($app->make('request')) : new Subject();
    }

    /**
     * For a request in hand.
     *
     * @param bool $routed whether it has a route for certain, as a middleware's has
     */
    public function of(Request $request, bool $routed = false): Subject
    {
        if ($this->acting !== []) {
            return $this->acting[\array_key_last($this->acting)];
        }

        $kept = $request->attributes->get(self::KEPT);

        return $kept instanceof Subject ? $kept : $this->found($request, $routed);
    }

    /** For a user who need not be the one signed in. Where tenants are not found by user, whoever is asking. */
    public function ofUser(?object $user): Subject
    {
        $app = Container::getInstance();
        if ($user === null || $this->acting !== [] || $user === $app->make('request')->user()) {
            return $this->current();
        }
        foreach ($this->resolvers as $resolver) {
            if ($resolver instanceof UserResolver) {
                return $resolver->of($user);
            }
        }

        return $this->current();
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
     * Laravel dispatches a job when what dispatch() returned is let go. Where the closure returns that, it is let go here,
     * so that the job is this subject's; the result is null then.
     *
     * @template T
     * @param Closure(): T $do
     * @return T
     */
    public function acting(Subject $subject, Closure $do): mixed
    {
        $token = $this->begin($subject);
        try {
            $result = $do();
            if ($result instanceof PendingDispatch) {
                $result = null;
            }

            return $result;
        } finally {
            $this->end($token);
        }
    }

    /** From here on everything is asked for this subject, until the end of what the returned token stands for. */
    public function begin(Subject $subject): int
    {
        $this->acting[++$this->token] = $subject;

        return $this->token;
    }

    public function end(int $token): void
    {
        unset($this->acting[$token]);
    }

    private function found(Request $request, bool $routed): Subject
    {
        $nobody = null;
        foreach ($this->resolvers as $resolver) {
            $subject = $resolver->resolve($request);
            if ($subject === null || $subject->company === null) {
                $nobody ??= $subject;
                continue;
            }
            // A request without a route is a console's, and lives as long as the process.
            if ($routed || $request->route() !== null) {
                $request->attributes->set(self::KEPT, $subject);
            }

            return $subject;
        }

        // Not kept: a guest may still sign in.
        return $nobody ?? new Subject();
    }
}
