<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Fiber;
use Flagstone\Laravel\Contracts\SubjectResolver;
use Flagstone\Laravel\Subject\Resolvers\RouteResolver;
use Flagstone\Laravel\Subject\Resolvers\TenantResolver;
use Flagstone\Laravel\Subject\Resolvers\UserResolver;
use Illuminate\Container\Container;
use Illuminate\Http\Request;
use WeakMap;

/**
 * Who is asking, now. Found once per request and kept with the request, so that nothing is left for the next one.
 */
final class Subjects
{
    private const KEPT = 'flagstone.subject';

    /** @var list<Acting> the running closures and jobs, the innermost last */
    private array $acting = [];

    /** @var ?WeakMap<Fiber, list<Acting>> those of fibers; null where no fiber has had any */
    private ?WeakMap $fibers = null;

    /** @var ?WeakMap<Fiber, Acting|false> what ran around a fiber when it first asked; false: nothing */
    private ?WeakMap $around = null;

    /** What a fiber asks for that was resumed elsewhere. */
    private ?Acting $strayed = null;

    private readonly Later $later;

    /** Whether the subject may depend on who is signed in. */
    private readonly bool $readsUsers;

    /** @param list<SubjectResolver> $resolvers the first that finds a company wins */
    public function __construct(private readonly array $resolvers)
    {
        $this->later = new Later($this);
        $this->readsUsers = \array_filter($resolvers, static fn (SubjectResolver $resolver): bool => \in_array(Source::of($resolver), [Source::USER, Source::ANY], true)) !== [];
    }

    public function current(): Subject
    {
        if ($this->acting !== [] || Fiber::getCurrent() !== null) {
            $acting = $this->innermost();
            if ($acting !== null) {
                return $this->subjectOf($acting);
            }
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
        if ($this->acting !== [] || Fiber::getCurrent() !== null) {
            $acting = $this->innermost();
            if ($acting !== null) {
                return $this->subjectOf($acting, $request);
            }
        }

        $kept = $request->attributes->get(self::KEPT);

        return $kept instanceof Kept && $kept->isCurrent($request) ? $kept->subject : $this->found($request, $routed);
    }

    /** For a user who need not be the one signed in. Where tenants are not found by user, whoever is asking. */
    public function ofUser(?object $user): Subject
    {
        return $user === null || $user === self::signedIn() ? $this->current() : $this->ofNamed($user) ?? $this->current();
    }

    /** @return list<string> why sources that the configuration names can name nobody, for `feature:doctor` */
    public function problems(): array
    {
        return \array_values(\array_filter(\array_map(static fn (SubjectResolver $resolver): ?string => match (true) {
            $resolver instanceof UserResolver => $resolver->problemOfUsers(),
            $resolver instanceof RouteResolver, $resolver instanceof TenantResolver => $resolver->problem(),
            default => null,
        }, $this->resolvers)));
    }

    /** The company that a user belongs to; null where the configuration does not say. */
    public function ofNamed(object $user): ?Subject
    {
        if (\method_exists($user, 'flagstoneCompany')) {
            return Subject::of($user);
        }
        foreach ($this->resolvers as $resolver) {
            if ($resolver instanceof UserResolver) {
                return $resolver->of($user);
            }
        }

        return null;
    }

    /**
     * Finds out anew at the next question: somebody signed in or out, or the tenant changed. That counts inside a closure that acts
     * for a subject too, until the closure ends.
     *
     * @param string ...$sources what was set, as Source names it; none: nothing that a closure did not begin with
     */
    public function forget(string ...$sources): void
    {
        $app = Container::getInstance();
        if ($app->resolved('request')) {
            $app->make('request')->attributes->remove(self::KEPT);
        }
        $acting = $sources !== [] ? $this->innermost(false) : null;
        if ($acting !== null) {
            $acting->changed += \array_fill_keys($sources, true);
        }
    }

    /**
     * Everything that the closure asks is asked for this subject, and so is what renders or runs later of its result. Nests.
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
        $acting = $this->begin($subject);
        try {
            $result = $do();
            // Most results are none that run later.
            if (\is_object($result) || \is_array($result)) {
                $result = $this->later->result($this->subjectOf($acting), $result);
            }

            return $result;
        } finally {
            $this->end($acting);
        }
    }

    /** From here on everything is asked for this subject, in this fiber, until the end of what is returned. */
    public function begin(Subject $subject): Acting
    {
        $around = $this->innermost(false);
        if ($around !== null) {
            $this->noteUser($around);
        }
        $acting = new Acting($subject, Later::waiting(), Later::deferred(), Later::afterCommit(), $this->readsUsers ? AuthState::now() : null);
        $fiber = Fiber::getCurrent();
        if ($fiber === null) {
            $this->acting[] = $acting;
        } else {
            $this->fibers ??= new WeakMap();
            $this->fibers[$fiber] = [...$this->fibers[$fiber] ?? [], $acting];
        }

        return $acting;
    }

    public function end(Acting $acting): void
    {
        $others = static fn (Acting $other): bool => $other !== $acting;
        $this->acting = \array_values(\array_filter($this->acting, $others));
        foreach ($this->fibers ?? [] as $fiber => $running) {
            $this->fibers[$fiber] = \array_values(\array_filter($running, $others));
        }
        // Whoever signed in inside was asked for until now, and is not in what goes on around it.
        $around = $this->readsUsers ? $this->innermost(false) : null;
        if ($around !== null) {
            $around->auth = AuthState::now();
        }
        $this->later->bind($acting);
    }

    /** A worker between two requests: nothing acts, whatever has become of the last. */
    public function endAll(): void
    {
        $this->acting = [];
    }

    /**
     * The innermost closure or job that runs.
     *
     * A fiber in which nothing acts is part of what runs around it when it first asks. Where it is resumed elsewhere, whom it asks for cannot be
     * determined.
     *
     * @param bool $asks whether a question is put
     */
    private function innermost(bool $asks = true): ?Acting
    {
        $fiber = Fiber::getCurrent();
        $running = $fiber === null || $this->fibers === null ? [] : $this->fibers[$fiber] ?? [];
        $isPart = $fiber !== null && $running === [];
        $running = $running === [] ? $this->acting : $running;
        $innermost = $running === [] ? null : $running[\array_key_last($running)];
        if ($asks && $isPart) {
            $this->around ??= new WeakMap();
            $around = $this->around[$fiber] ??= $innermost ?? false;
            if ($around !== ($innermost ?? false)) {
                return $this->strayed ??= new Acting(Subject::unknown('a fiber that began within one actingFor(), or outside of any, is resumed within another.'
                    . ' Call actingFor() within the fiber'), 0, 0, [], null);
            }
        }

        return $innermost;
    }

    /** Notes that somebody else was signed in since, by a guard that dispatches no event. */
    private function noteUser(Acting $acting): void
    {
        if ($acting->auth === null) {
            return;
        }
        $now = AuthState::now();
        if ($now->isSetSince($acting->auth)) {
            $acting->changed[Source::USER] = true;
        }
        $acting->auth = $now;
    }

    /** What was set last wins: a user or tenant that was set since, else the subject that it acts for. */
    private function subjectOf(Acting $acting, ?Request $request = null): Subject
    {
        $this->noteUser($acting);
        if ($acting->changed === []) {
            return $acting->subject;
        }
        $app = Container::getInstance();
        $request ??= $app->bound('request') ? $app->make('request') : new Request();
        foreach ($this->resolvers as $resolver) {
            $source = Source::of($resolver);
            $isSet = $source === Source::ANY || isset($acting->changed[$source]);
            // A user who is left over of an earlier job is not whom this one is for.
            if (!$isSet && $source === Source::USER && $acting->subject->company === null) {
                continue;
            }
            $subject = $resolver->resolve($request);
            if ($subject === null || $subject->company === null && $subject->problem() === null) {
                continue;
            }
            // A tenant that is the subject's own company knows less of it: attributes travelled with the job.
            $isSame = $source !== Source::USER && (string) $subject->company === (string) $acting->subject->company;

            return $isSet && !$isSame ? $subject : $acting->subject;
        }

        return $acting->subject;
    }

    private static function signedIn(): ?object
    {
        $app = Container::getInstance();
        $user = $app->bound('request') ? SignedIn::asked($app->make('request')) : null;

        return $user ?? SignedIn::inConsole();
    }

    private function found(Request $request, bool $routed): Subject
    {
        $nobody = null;
        $users = [];
        $way = null;
        foreach ($this->resolvers as $asked => $resolver) {
            if ($resolver instanceof UserResolver) {
                $way ??= SignedIn::way($request) ?? false;
                $user = $resolver->user($request, $way ?: null);
                $subject = $user === null ? null : $resolver->of($user);
                $users[] = [$resolver, $way ?: null, $user, $subject?->company];
            } else {
                $subject = $resolver->resolve($request);
            }
            if ($subject?->problem() !== null) {
                return $subject;
            }
            if ($subject === null || $subject->company === null) {
                $nobody ??= $subject;
                continue;
            }
            // A request without a route is a console's, and lives as long as the process.
            if ($routed || $request->route() !== null) {
                $request->attributes->set(self::KEPT, new Kept(
                    $subject,
                    $request,
                    $users,
                    // A class of the application may go by any user, and a tenant's attributes name the user.
                    $resolver instanceof UserResolver && \count($users) === $asked + 1 ? null : AuthState::now($request),
                ));
            }

            return $subject;
        }

        // Not kept: a guest may still sign in.
        return $nobody ?? new Subject();
    }
}
