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
 * Finds the subject that asks now, once per request. The request keeps it, so that nothing is left for the next one.
 */
final class Subjects
{
    private const KEPT = 'flagstone.subject';

    /** @var list<Acting> the running closures and jobs, the innermost last */
    private array $acting = [];

    /** @var ?WeakMap<Fiber, list<Acting>> the same by fiber; null before the first */
    private ?WeakMap $fibers = null;

    /** @var ?WeakMap<Fiber, Acting|false> closure or job around a fiber at its first question; false: none */
    private ?WeakMap $around = null;

    /** Subject of a fiber that was resumed elsewhere. */
    private ?Acting $strayed = null;

    /** @var array<int, true> ids of the fibers, and 0 for none, in which a subject is being looked up */
    private array $finding = [];

    private readonly Later $later;

    /** True if the subject may depend on the signed-in user. */
    private readonly bool $readsUsers;

    /** @var list<TenantResolver> those whose tenant the subject may depend on */
    private readonly array $tenants;

    /** @param list<SubjectResolver> $resolvers the first that finds a company wins */
    public function __construct(private readonly array $resolvers)
    {
        $this->later = new Later($this);
        $sources = \array_map(Source::of(...), $resolvers);
        $this->readsUsers = \array_intersect([Source::USER, Source::ANY], $sources) !== [];
        // A class of the application may depend on any tenant.
        $this->tenants = \in_array(Source::ANY, $sources, true)
            ? [TenantResolver::tenancy(), TenantResolver::spatie(), TenantResolver::filament()]
            : \array_values(\array_filter($resolvers, static fn (SubjectResolver $resolver): bool => $resolver instanceof TenantResolver && !$resolver->isHeader()));
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
     * The subject of a given request.
     *
     * @param bool $routed true if it certainly has a route, such as in a middleware
     */
    public function of(Request $request, bool $routed = false): Subject
    {
        if ($this->acting !== [] || Fiber::getCurrent() !== null) {
            $acting = $this->innermost();
            if ($acting !== null) {
                return $this->subjectOf($acting, $request);
            }
        }

        return $this->once(function () use ($request, $routed): Subject {
            $kept = $request->attributes->get(self::KEPT);

            return $kept instanceof CachedSubject && $kept->isCurrent($request) ? $kept->subject : $this->found($request, $routed);
        });
    }

    /**
     * Looks up a subject. A question asked during the lookup would start it again, without end, and so gets an unknown subject: one
     * without a company would pass a list of denied companies.
     *
     * @param Closure(): Subject $find
     */
    private function once(Closure $find): Subject
    {
        $fiber = Fiber::getCurrent();
        $fiber = $fiber === null ? 0 : \spl_object_id($fiber);
        if (isset($this->finding[$fiber])) {
            return Subject::unknown('it is asked while the application looks up who is signed in, such as in DB::listen(), in a global scope of the user\'s'
                . ' model or in its event "retrieved". Ask there for a company: Flagstone::for($company)');
        }
        $this->finding[$fiber] = true;
        try {
            return $find();
        } finally {
            unset($this->finding[$fiber]);
        }
    }

    /**
     * The subject of any user, or of a guest, independent of the signed-in user. If tenants are not found by user, the current subject.
     */
    public function ofUser(?object $user): Subject
    {
        if ($user === null && $this->findsByUser() && self::signedIn() !== null) {
            return $this->ofGuest();
        }

        return $user === null || $user === self::signedIn() ? $this->current() : $this->ofNamed($user) ?? $this->current();
    }

    private function findsByUser(): bool
    {
        return \array_filter($this->resolvers, static fn (SubjectResolver $resolver): bool => $resolver instanceof UserResolver) !== [];
    }

    private function ofGuest(): Subject
    {
        $app = Container::getInstance();
        $request = $app->bound('request') ? $app->make('request') : new Request();
        foreach ($this->resolvers as $resolver) {
            $subject = $resolver instanceof UserResolver ? null : $resolver->resolve($request);
            if ($subject !== null && ($subject->company !== null || $subject->problem() !== null)) {
                return $subject;
            }
        }

        return $this->nobody();
    }

    /**
     * The subject if no source has found a company. That there is none is known only if each could have answered.
     *
     * @param ?Subject $found a source's subject without a company
     */
    private function nobody(?Subject $found = null): Subject
    {
        foreach ($this->resolvers as $resolver) {
            $problem = $resolver instanceof TenantResolver ? $resolver->problem() : null;
            if ($problem !== null) {
                return Subject::unknown($problem, $found !== null && $found->signedIn);
            }
        }

        return $found ?? new Subject();
    }

    /** @return list<string> reasons why configured sources can never find a company, for `feature:doctor` */
    public function problems(): array
    {
        return \array_values(\array_filter(\array_map(static fn (SubjectResolver $resolver): ?string => match (true) {
            $resolver instanceof UserResolver => $resolver->problemOfUsers(),
            $resolver instanceof RouteResolver, $resolver instanceof TenantResolver => $resolver->problem(),
            default => null,
        }, $this->resolvers)));
    }

    /** The company that a user belongs to; null if the configuration does not define it. */
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
     * Looks up the subject again at the next question: the user or the tenant has changed. Inside a closure that acts for a subject
     * this holds until the closure ends, or the old one is put back.
     *
     * @param string ...$sources changed sources, by Source's names; none: nothing that a closure did not begin with
     */
    public function forget(string ...$sources): void
    {
        $app = Container::getInstance();
        if ($app->resolved('request')) {
            $app->make('request')->attributes->remove(self::KEPT);
        }
        $acting = $this->innermost(false);
        if ($acting?->tenants === null) {
            return;
        }
        if ($sources === []) {
            $this->noteUser($acting);
        }
        $acting->changed += \array_fill_keys($sources, true);
    }

    /**
     * Runs the closure with all its questions asked for this subject, and those of parts of its result that run later. Nests.
     *
     * Laravel dispatches a job when the return value of dispatch() is destroyed. If the closure returns that, it is destroyed here,
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
            // Most results have no part that runs later.
            if (\is_object($result) || \is_array($result)) {
                $result = $this->later->result($this->subjectOf($acting), $result);
            }

            return $result;
        } finally {
            $this->end($acting);
        }
    }

    /**
     * Asks every question of this fiber for this subject, from here to the end of the returned object.
     *
     * @param bool $starts false if start() is called later
     */
    public function begin(Subject $subject, bool $starts = true): Acting
    {
        $around = $this->innermost(false);
        if ($around !== null) {
            $this->noteUser($around);
            $this->forgetPutBack($around);
        }
        $acting = new Acting($subject, Later::waiting(), Later::deferred(), Later::afterCommit());
        if ($starts) {
            $this->start($acting);
        }
        $fiber = Fiber::getCurrent();
        if ($fiber === null) {
            $this->acting[] = $acting;
        } else {
            $this->fibers ??= new WeakMap();
            $this->fibers[$fiber] = [...$this->fibers[$fiber] ?? [], $acting];
        }

        return $acting;
    }

    /** From here on, another user or tenant than the current one is asked for. */
    public function start(Acting $acting): void
    {
        $acting->start($this->currentTenants(), $this->readsUsers ? AuthState::now() : null);
    }

    /** @return list<mixed> */
    private function currentTenants(): array
    {
        return \array_map(static fn (TenantResolver $resolver): mixed => $resolver->current(), $this->tenants);
    }

    public function end(Acting $acting): void
    {
        $others = static fn (Acting $other): bool => $other !== $acting;
        $this->acting = \array_values(\array_filter($this->acting, $others));
        foreach ($this->fibers ?? [] as $fiber => $running) {
            $this->fibers[$fiber] = \array_values(\array_filter($running, $others));
        }
        // A user who signed in inside was asked for until now, and does not count in the code around it.
        $around = $this->innermost(false);
        if ($around?->auth !== null) {
            $around->auth = AuthState::now();
        }
        $this->later->bind($acting);
    }

    /** Resets a worker between two requests: nothing acts, whatever the last one left. */
    public function endAll(): void
    {
        $this->acting = $this->finding = [];
    }

    /**
     * The innermost running closure or job.
     *
     * A fiber in which nothing acts belongs to the code around its first question. If it is resumed elsewhere, its subject cannot be
     * determined.
     *
     * @param bool $asks true if a question is asked
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
                    . ' Call actingFor() within the fiber'), 0, 0, []);
            }
        }

        return $innermost;
    }

    /** Drops the sources whose tenant or user of the start was put back. */
    private function forgetPutBack(Acting $acting): void
    {
        // An application that calls forgetSubject() may have changed anything.
        if (isset($acting->changed[Source::REQUEST])) {
            return;
        }
        if (isset($acting->changed[Source::TENANT])
            && !\in_array(false, \array_map(Company::isSame(...), $this->currentTenants(), $acting->tenants ?? []), true)) {
            unset($acting->changed[Source::TENANT]);
        }
        if (isset($acting->changed[Source::USER], $acting->auth, $acting->users) && $acting->auth->isBack($acting->users, $this->companies(...))) {
            unset($acting->changed[Source::USER]);
        }
    }

    /** @return array<int, int|string|null> a user's companies, by each resolver of users */
    private function companies(object $user): array
    {
        $resolvers = \array_filter($this->resolvers, static fn (SubjectResolver $resolver): bool => $resolver instanceof UserResolver);

        return \array_map(static fn (UserResolver $resolver): int|string|null => $resolver->key($user), $resolvers);
    }

    /** Notes a change of the user by a guard that dispatches no event. */
    private function noteUser(Acting $acting): void
    {
        if ($acting->auth === null) {
            return;
        }
        $now = AuthState::now();
        if ($now->isSetSince($acting->auth)) {
            $acting->changed[Source::USER] = true;
        } elseif (!isset($acting->changed[Source::USER])) {
            $acting->users = $acting->users?->withFound($now);
        }
        $acting->auth = $now;
    }

    /** The user or tenant that was set since, else the subject that it acts for: the last one set wins. */
    private function subjectOf(Acting $acting, ?Request $request = null): Subject
    {
        return $this->once(fn (): Subject => $this->subjectNow($acting, $request));
    }

    private function subjectNow(Acting $acting, ?Request $request): Subject
    {
        $this->noteUser($acting);
        if ($acting->changed !== []) {
            $this->forgetPutBack($acting);
        }
        if ($acting->changed === []) {
            return $acting->subject;
        }
        $app = Container::getInstance();
        $request ??= $app->bound('request') ? $app->make('request') : new Request();
        foreach ($this->resolvers as $resolver) {
            $source = Source::of($resolver);
            $isSet = $source === Source::ANY || isset($acting->changed[$source]);
            // A user left over from an earlier job is not the one of this job.
            if (!$isSet && $source === Source::USER && $acting->subject->company === null) {
                continue;
            }
            $subject = $resolver->resolve($request);
            if ($subject === null || $subject->company === null && $subject->problem() === null) {
                continue;
            }
            // A tenant that equals the subject's company knows less of it: attributes traveled with the job.
            $isSame = $source !== Source::USER && (string) $subject->company === (string) $acting->subject->company;

            return $isSet && !$isSame ? $subject : $acting->subject;
        }

        return $acting->subject;
    }

    private static function signedIn(): ?object
    {
        $app = Container::getInstance();
        $user = $app->bound('request') ? UserResolver::userOf($app->make('request')) : null;

        return $user ?? UserResolver::userOfGuard();
    }

    private function found(Request $request, bool $routed): Subject
    {
        $nobody = null;
        $users = [];
        foreach ($this->resolvers as $asked => $resolver) {
            if ($resolver instanceof UserResolver) {
                $user = $resolver->user($request);
                $subject = $user === null ? null : $resolver->of($user);
                $users[] = [$resolver, $user, $subject?->company];
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
                $request->attributes->set(self::KEPT, new CachedSubject(
                    $subject,
                    $request,
                    $users,
                    // A class of the application may depend on any user, and a tenant's attributes name the user.
                    $resolver instanceof UserResolver && \count($users) === $asked + 1 ? null : AuthState::now($request),
                ));
            }

            return $subject;
        }

        // Not kept: a guest may still sign in.
        return $this->nobody($nobody);
    }
}
