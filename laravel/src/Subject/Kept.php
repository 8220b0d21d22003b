<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Flagstone\Laravel\Subject\Resolvers\UserResolver;
use Illuminate\Http\Request;
use WeakReference;

/**
 * The subject of a request, for as long as what it was found by stays: the request itself, which a duplicate is not, its route, and
 * whoever is signed in. A guard that reads tokens tells nobody that its user is another now.
 *
 * @internal
 */
final class Kept
{
    /** @var WeakReference<Request> */
    private readonly WeakReference $request;

    private readonly Closure $route;

    /**
     * @param list<array{UserResolver, ?SignedIn, ?object, int|string|null}> $users by each resolver that was asked: whom it found signed in, how, and
     *     of which company
     * @param ?AuthState $auth whoever is known to be signed in; null where the subject was found by `$users` alone
     */
    public function __construct(
        public readonly Subject $subject,
        Request $request,
        private readonly array $users,
        private readonly ?AuthState $auth,
    ) {
        $this->request = WeakReference::create($request);
        $this->route = $request->getRouteResolver();
    }

    public function isCurrent(Request $request): bool
    {
        if ($this->request->get() !== $request || $request->getRouteResolver() !== $this->route) {
            return false;
        }
        foreach ($this->users as [$resolver, $way, $user, $company]) {
            $now = $user !== null && $way !== null && $way->leadsTo($user, $request) ? $user : $resolver->user($request);
            if ($now !== $user && !AuthState::isSame($now, $user) || $now !== null && $resolver->key($now) !== $company) {
                return false;
            }
        }

        return $this->auth === null || $this->auth->equals(AuthState::now($request));
    }
}
